//! Reads `.env` files: `NAME=value` lines, `#` comments, an optional `export`, single or double quotes.
//!
//! Values end with their line and nothing in them is expanded, except `\n`, `\r`, `\t`, `\"`, `\\` and `\$` between
//! double quotes. Of two lines with one name the later counts, as in a shell.

/// The variables in order of appearance, and what is wrong with lines that are none. Mistakes name the line by its
/// number and never quote it, since it may hold a secret.
pub(super) fn parse(text: &str) -> (Vec<(String, String)>, Vec<String>) {
    let mut variables: Vec<(String, String)> = Vec::new();
    let mut mistakes = Vec::new();
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        match parse_line(line.trim()) {
            Ok(None) => {}
            Ok(Some((name, value))) => {
                variables.retain(|(earlier, _)| *earlier != name);
                variables.push((name, value));
            }
            Err(hint) => mistakes.push(format!("line {}: {hint}", index + 1)),
        }
    }
    (variables, mistakes)
}

fn parse_line(line: &str) -> Result<Option<(String, String)>, &'static str> {
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let assignment = match line.strip_prefix("export") {
        Some(rest) if rest.starts_with([' ', '\t']) => rest.trim_start(),
        _ => line,
    };
    let (name, value) = assignment.split_once('=').ok_or("write NAME=value, or # before a comment")?;
    let name = name.trim_end();
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    if name.is_empty() || !is_name {
        return Err("write NAME=value with a name of letters, digits and underscores");
    }
    let value = value.trim_start();
    let value = match value.chars().next() {
        Some('\'') => single_quoted(&value[1..])?,
        Some('"') => double_quoted(&value[1..])?,
        _ => unquoted(value).to_owned(),
    };
    Ok(Some((name.to_owned(), value)))
}

/// A comment needs a space before it, so that `#` may stand inside a password.
fn unquoted(value: &str) -> &str {
    if value.starts_with('#') {
        return "";
    }
    let end = [" #", "\t#"].iter().filter_map(|comment| value.find(comment)).min().unwrap_or(value.len());
    value[..end].trim_end()
}

fn single_quoted(rest: &str) -> Result<String, &'static str> {
    let (value, tail) = rest.split_once('\'').ok_or("the quote ' is not closed on this line")?;
    nothing_follows(tail)?;
    Ok(value.to_owned())
}

fn double_quoted(rest: &str) -> Result<String, &'static str> {
    let mut value = String::new();
    let mut chars = rest.chars();
    loop {
        match chars.next().ok_or("the quote \" is not closed on this line")? {
            '"' => break,
            '\\' => value.push(match chars.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some(escaped @ ('"' | '\\' | '$')) => escaped,
                _ => return Err("write \\\\ for a backslash between double quotes, or use single quotes"),
            }),
            plain => value.push(plain),
        }
    }
    nothing_follows(chars.as_str())?;
    Ok(value)
}

fn nothing_follows(tail: &str) -> Result<(), &'static str> {
    let tail = tail.trim();
    if tail.is_empty() || tail.starts_with('#') {
        Ok(())
    } else {
        Err("only a comment may follow the closing quote")
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn lines_and_their_values() {
        for (line, value) in [
            ("A=b", "b"),
            ("A = b ", "b"),
            ("export A=b", "b"),
            ("export\tA=b", "b"),
            ("A=b # comment", "b"),
            ("A=b#c", "b#c"),
            ("A=# comment", ""),
            ("A=", ""),
            ("A=b c", "b c"),
            ("A=b=c", "b=c"),
            ("A='b # \"c\" \\n'", "b # \"c\" \\n"),
            ("A=\"b # 'c'\"  # comment", "b # 'c'"),
            ("A=\"tab\\tquote\\\"slash\\\\dollar\\$\"", "tab\tquote\"slash\\dollar$"),
            ("\u{feff}A=b\r", "b"),
        ] {
            assert_eq!(parse(line), (vec![("A".to_owned(), value.to_owned())], vec![]), "{line:?}");
        }
        assert_eq!(parse("\n# A=b\n  \n"), (vec![], vec![]));
        assert_eq!(
            parse("A=1\nB=2\nA=3").0,
            [("B".to_owned(), "2".to_owned()), ("A".to_owned(), "3".to_owned())]
        );
        assert_eq!(parse("exported=b").0, [("exported".to_owned(), "b".to_owned())]);
    }

    #[test]
    fn mistakes_name_the_line_and_do_not_quote_it() {
        for line in [
            "hush",
            "=hush",
            "A B=hush",
            "A='hush",
            "A=\"hush",
            "A=\"hush\\q\"",
            "A='hush'hush",
            "A=\"hush\\",
        ] {
            let (variables, mistakes) = parse(&format!("# first\n{line}\n"));
            assert!(variables.is_empty(), "{line:?}");
            assert_eq!(mistakes.len(), 1, "{line:?}");
            assert!(mistakes[0].starts_with("line 2: ") && !mistakes[0].contains("hush"), "{mistakes:?}");
        }
    }
}
