//! The format of a transcript, as `tests/transcripts/README.md` describes it.

/// A file: what was said and what was answered.
#[derive(Debug)]
pub(crate) struct Transcript {
    /// Where it is, for reports.
    pub(crate) file: String,
    /// Settings of the server, as `@name value` lines give them.
    pub(crate) settings: Vec<(usize, String, String)>,
    pub(crate) exchanges: Vec<Exchange>,
}

/// A request and what must be answered.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// The line of the request.
    pub(crate) line: usize,
    pub(crate) method: String,
    /// Without the mount.
    pub(crate) path: String,
    /// Whether the path is a whole one, of another contract.
    pub(crate) elsewhere: bool,
    pub(crate) headers: Vec<Header>,
    pub(crate) body: String,
    pub(crate) answer: Expected,
}

#[derive(Debug)]
pub(crate) struct Expected {
    /// The line of the status.
    pub(crate) line: usize,
    /// Three digits, any of which may be an `x`.
    pub(crate) status: String,
    /// Those that must be there.
    pub(crate) headers: Vec<Header>,
    /// The line that the body begins on.
    pub(crate) body_line: usize,
    /// Empty if there must be none.
    pub(crate) body: String,
}

#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) line: usize,
    pub(crate) name: String,
    pub(crate) value: String,
}

const ANSWER: &str = "=== ";
const END: &str = "---";

impl Transcript {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// What is wrong, with file and line.
    pub(crate) fn read(file: &str, text: &str) -> Result<Self, String> {
        let mut lines = Lines { lines: text.lines().collect(), next: 0 };
        let mut transcript = Self { file: file.to_owned(), settings: Vec::new(), exchanges: Vec::new() };
        while let Some((number, line)) = lines.take() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let read = match line.strip_prefix('@') {
                Some(setting) => transcript.setting(number, setting),
                None => {
                    exchange(number, line, &mut lines).map(|exchange| transcript.exchanges.push(exchange))
                }
            };
            read.map_err(|(number, error)| format!("{file}:{number}: {error}"))?;
        }
        if transcript.exchanges.is_empty() {
            return Err(format!("{file}: no request"));
        }
        Ok(transcript)
    }

    fn setting(&mut self, number: usize, setting: &str) -> Result<(), (usize, String)> {
        let (name, value) =
            setting.split_once(' ').ok_or((number, "a setting without a value".to_owned()))?;
        if !self.exchanges.is_empty() {
            return Err((number, "settings belong before the first request".to_owned()));
        }
        self.settings.push((number, name.to_owned(), value.trim().to_owned()));
        Ok(())
    }
}

struct Lines<'a> {
    lines: Vec<&'a str>,
    next: usize,
}

impl<'a> Lines<'a> {
    /// The next line with its number, from 1.
    fn take(&mut self) -> Option<(usize, &'a str)> {
        let line = self.lines.get(self.next)?;
        self.next += 1;
        Some((self.next, line))
    }

    /// Gives the line just taken back.
    fn put_back(&mut self) {
        self.next -= 1;
    }

    /// The lines before `stop`, without empty ones at the end, and the number of the first.
    fn text_until(&mut self, stop: impl Fn(&str) -> bool) -> (usize, String) {
        let first = self.next;
        while self.next < self.lines.len() && !stop(self.lines[self.next]) {
            self.next += 1;
        }
        (first + 1, self.lines[first..self.next].join("\n").trim_end_matches('\n').to_owned())
    }

    /// Header lines, until one that is empty (which is taken) or one that is none (which is not).
    fn headers(&mut self) -> Result<Vec<Header>, (usize, String)> {
        let mut headers = Vec::new();
        while let Some((line, text)) = self.take() {
            if text.is_empty() {
                break;
            }
            if text.starts_with(ANSWER) || text == END {
                self.put_back();
                break;
            }
            let (name, value) = text.split_once(':').ok_or((line, format!("{text:?} is no header")))?;
            headers.push(Header { line, name: name.to_owned(), value: value.trim().to_owned() });
        }
        Ok(headers)
    }
}

fn exchange(line: usize, request: &str, lines: &mut Lines<'_>) -> Result<Exchange, (usize, String)> {
    let (method, path) = request.split_once(' ').ok_or((line, format!("{request:?} is no request")))?;
    let elsewhere = path.starts_with('!');
    let path = path.trim_start_matches('!');
    if !method.bytes().all(|byte| byte.is_ascii_uppercase()) || !path.starts_with('/') {
        return Err((line, format!("{request:?} is no request")));
    }
    let headers = lines.headers()?;
    let (_, body) = lines.text_until(|line| line.starts_with(ANSWER) || line == END);
    let status = lines.take().and_then(|(line, text)| Some((line, text.strip_prefix(ANSWER)?.trim())));
    let (status_line, status) = status.ok_or((line, "a request without an answer".to_owned()))?;
    if status.len() != 3 || !status.bytes().all(|byte| byte.is_ascii_digit() || byte == b'x') {
        return Err((status_line, format!("{status:?} is no status")));
    }
    let expected = lines.headers()?;
    let (body_line, expected_body) = lines.text_until(|line| line == END);
    if lines.take().is_none() {
        return Err((status_line, format!("an answer without {END} at its end")));
    }
    let answer = Expected {
        line: status_line,
        status: status.to_owned(),
        headers: expected,
        body_line,
        body: expected_body,
    };
    Ok(Exchange { line, method: method.to_owned(), path: path.to_owned(), elsewhere, headers, body, answer })
}
