# Stands beside one throwaway server, whose directory is $1. It reads its input until the owner of the server closes
# it, by intention or by ending in whatever way; then it ends the server and removes the directory.
trap '' HUP INT TERM
while read -r _; do :; done
directory=$1
lock=$directory/data/postmaster.pid

# The processes that run in the directory. One with a terminal is a person who looks around there.
find_processes() {
    found=
    for process in /proc/[0-9]*; do
        if [ "$process/cwd" -ef "$directory" ] || [ "$process/cwd" -ef "$directory/data" ]; then
            read -r stat <"$process/stat" || continue
            # shellcheck disable=SC2086
            set -- ${stat##*) }
            [ "$5" = 0 ] && found="$found ${process#/proc/}"
        fi
    done
    [ -n "$found" ]
}

# PostgreSQL gives its shared memory back if it ends by itself, and ends at once on QUIT.
if read -r main <"$lock" && [ "/proc/$main/cwd" -ef "$directory/data" ]; then
    kill -QUIT "$main"
    kill -CONT "$main"
    tries=0
    while [ -e "$lock" ] && [ "$tries" -lt 100 ]; do
        sleep 0.01
        tries=$((tries + 1))
    done
fi

tries=0
while find_processes && [ "$tries" -lt 500 ]; do
    # shellcheck disable=SC2086
    kill -KILL $found
    sleep 0.01
    tries=$((tries + 1))
done

# One that was killed left its segment behind: the second number in line 7.
if [ -e "$lock" ]; then
    # shellcheck disable=SC2046
    set -- $(sed -n 7p "$lock")
    [ -n "$2" ] && ipcrm -m "$2"
fi
rm -rf -- "$directory"
