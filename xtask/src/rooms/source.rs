//! Just enough of a Rust lexer to tell code from comments and text, and one path from another.

/// A string literal as written, without its quotes.
#[derive(Debug)]
pub(super) struct Literal {
    /// The line it starts on, from 1.
    pub(super) line: usize,
    pub(super) text: String,
}

/// A path such as `std::time::Duration`, with groups in `use` taken apart.
#[derive(Debug)]
pub(super) struct NamedPath {
    /// The line of its last segment, from 1.
    pub(super) line: usize,
    pub(super) segments: Vec<String>,
    /// Whether it stands in a `use` declaration.
    pub(super) imported: bool,
}

/// One Rust file, split into what the compiler runs and what people read.
#[derive(Debug)]
pub(super) struct Source {
    /// Path from the root of the workspace, with `/`.
    pub(super) path: String,
    /// The text with comments and the inside of literals blanked; lines keep their numbers.
    pub(super) code: String,
    pub(super) literals: Vec<Literal>,
    /// Lines (from 1) that only a test build compiles.
    test_lines: Vec<std::ops::RangeInclusive<usize>>,
}

impl Source {
    pub(super) fn new(path: &str, text: &str) -> Self {
        let (code, literals) = blank(text);
        let test_lines = test_lines(&code);
        Self { path: path.to_owned(), code, literals, test_lines }
    }

    /// Whether the line belongs to a `#[cfg(test)]` module or to a test directory.
    pub(super) fn is_test(&self, line: usize) -> bool {
        self.path.contains("/tests/")
            || self.path.contains("/benches/")
            || self.test_lines.iter().any(|range| range.contains(&line))
    }

    /// Lines that hold code, comments and blank lines left out.
    pub(super) fn code_lines(&self) -> usize {
        self.code.lines().filter(|line| !line.trim().is_empty()).count()
    }

    /// Every path that the code names.
    pub(super) fn paths(&self) -> Vec<NamedPath> {
        let tokens = tokens(&self.code);
        let mut paths = Vec::new();
        let (mut at, mut imported) = (0, false);
        while at < tokens.len() {
            match &tokens[at].kind {
                Kind::Word(word) if word == "use" => (imported, at) = (true, at + 1),
                Kind::Word(_) => at = read_path(&tokens, at, &mut Vec::new(), imported, &mut paths),
                Kind::Other(';') => (imported, at) = (false, at + 1),
                _ => at += 1,
            }
        }
        paths
    }

    /// Names of the modules declared here, with their lines.
    pub(super) fn modules(&self) -> Vec<(usize, String)> {
        let tokens = tokens(&self.code);
        let mut names = Vec::new();
        for pair in tokens.windows(2) {
            if let (Kind::Word(keyword), Kind::Word(name)) = (&pair[0].kind, &pair[1].kind)
                && keyword == "mod"
            {
                names.push((pair[1].line, name.clone()));
            }
        }
        names
    }

    /// Names of the modules that only a test build takes in from another file (`#[cfg(test)] mod name;`).
    pub(super) fn test_modules(&self) -> Vec<String> {
        let mut names = Vec::new();
        for (at, _) in self.code.match_indices(CFG_TEST) {
            let rest = after_attributes(&self.code[at + CFG_TEST.len()..]);
            if let Some(name) = rest.strip_prefix("mod ").and_then(|rest| rest.split_once(';')) {
                names.push(name.0.trim().to_owned());
            }
        }
        names.retain(|name| name.chars().all(|c| c.is_alphanumeric() || c == '_'));
        names
    }
}

const CFG_TEST: &str = "#[cfg(test)]";

/// The text behind further attributes and a visibility.
fn after_attributes(mut rest: &str) -> &str {
    loop {
        rest = rest.trim_start();
        if rest.starts_with("#[") {
            rest = rest.find(']').map_or("", |end| &rest[end + 1..]);
        } else if let Some(public) = rest.strip_prefix("pub(crate) ").or_else(|| rest.strip_prefix("pub ")) {
            rest = public;
        } else {
            return rest;
        }
    }
}

/// The lines of every item in braces that `#[cfg(test)]` stands before.
fn test_lines(code: &str) -> Vec<std::ops::RangeInclusive<usize>> {
    let line_of = |at: usize| code[..at].matches('\n').count() + 1;
    if code.contains("#![cfg(test)]") {
        return vec![1..=line_of(code.len())];
    }
    let mut ranges = Vec::new();
    for (at, _) in code.match_indices(CFG_TEST) {
        let (mut depth, mut end) = (0_usize, code.len());
        for (offset, byte) in code[at + CFG_TEST.len()..].bytes().enumerate() {
            match byte {
                b'{' => depth += 1,
                b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 && matches!(byte, b'}' | b';') {
                end = at + CFG_TEST.len() + offset;
                break;
            }
        }
        ranges.push(line_of(at)..=line_of(end));
    }
    ranges
}

enum Kind {
    Word(String),
    /// `::`
    Joint,
    Other(char),
}

struct Token {
    line: usize,
    kind: Kind,
}

fn tokens(code: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let (mut line, mut chars) = (1, code.chars().peekable());
    while let Some(c) = chars.next() {
        if c == '\n' {
            line += 1;
        } else if c.is_alphanumeric() || c == '_' {
            let mut word = String::from(c);
            while let Some(next) = chars.next_if(|next| next.is_alphanumeric() || *next == '_') {
                word.push(next);
            }
            tokens.push(Token { line, kind: Kind::Word(word) });
        } else if c == ':' && chars.next_if_eq(&':').is_some() {
            tokens.push(Token { line, kind: Kind::Joint });
        } else if !c.is_whitespace() {
            tokens.push(Token { line, kind: Kind::Other(c) });
        }
    }
    tokens
}

/// Reads the path that starts at `at`, groups included; answers where to go on.
fn read_path(
    tokens: &[Token],
    mut at: usize,
    prefix: &mut Vec<String>,
    imported: bool,
    paths: &mut Vec<NamedPath>,
) -> usize {
    let depth = prefix.len();
    while let Some(Token { line, kind: Kind::Word(word) }) = tokens.get(at) {
        prefix.push(word.clone());
        let line = *line;
        at += 1;
        if !matches!(tokens.get(at), Some(Token { kind: Kind::Joint, .. })) {
            paths.push(NamedPath { line, segments: prefix.clone(), imported });
            prefix.truncate(depth);
            return at;
        }
        at += 1;
        match tokens.get(at).map(|token| &token.kind) {
            Some(Kind::Other('{')) => {
                at = read_group(tokens, at + 1, prefix, imported, paths);
                prefix.truncate(depth);
                return at;
            }
            Some(Kind::Word(_)) => {}
            // `Vec::<T>` and `module::*`: what was read so far is the path.
            _ => paths.push(NamedPath { line, segments: prefix.clone(), imported }),
        }
    }
    prefix.truncate(depth);
    at
}

/// Reads `a, b::c, {d}}` up to the closing brace; answers where to go on behind it.
fn read_group(
    tokens: &[Token],
    mut at: usize,
    prefix: &mut Vec<String>,
    imported: bool,
    paths: &mut Vec<NamedPath>,
) -> usize {
    while let Some(token) = tokens.get(at) {
        match token.kind {
            Kind::Other('}') => return at + 1,
            Kind::Word(_) => at = read_path(tokens, at, prefix, imported, paths),
            _ => at += 1,
        }
    }
    at
}

/// Blanks comments and literals, and collects the strings.
fn blank(text: &str) -> (String, Vec<Literal>) {
    let mut reader = Reader { rest: text, line: 1, code: String::with_capacity(text.len()) };
    let mut literals = Vec::new();
    while let Some(c) = reader.rest.chars().next() {
        if reader.rest.starts_with("//") {
            let end = reader.rest.find('\n').unwrap_or(reader.rest.len());
            reader.skip(end);
        } else if reader.rest.starts_with("/*") {
            let end = block_comment(reader.rest);
            reader.skip(end);
        } else if let Some(quotes) = string_quotes(reader.rest, &reader.code) {
            let line = reader.line;
            let inside = &reader.rest[quotes.open..];
            let length = quotes.inside(inside);
            literals.push(Literal { line, text: inside[..length].to_owned() });
            let end = (quotes.open + length + quotes.close.len()).min(reader.rest.len());
            reader.skip(end);
        } else if let Some(end) = char_literal(reader.rest) {
            reader.skip(end);
        } else {
            reader.take(c);
        }
    }
    (reader.code, literals)
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
    code: String,
}

impl Reader<'_> {
    /// Keeps one character.
    fn take(&mut self, c: char) {
        self.line += usize::from(c == '\n');
        self.code.push(c);
        self.rest = &self.rest[c.len_utf8()..];
    }

    /// Blanks so many bytes; line breaks stay.
    fn skip(&mut self, bytes: usize) {
        for c in self.rest[..bytes].chars() {
            self.line += usize::from(c == '\n');
            self.code.push(if c == '\n' { '\n' } else { ' ' });
        }
        self.rest = &self.rest[bytes..];
    }
}

/// The length of a block comment, which may hold others.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// How a string literal begins and ends.
struct Quotes {
    /// Bytes before its inside.
    open: usize,
    close: String,
    /// Whether a backslash takes the next character out of play.
    escapes: bool,
}

impl Quotes {
    /// The length of the inside of a string.
    fn inside(&self, text: &str) -> usize {
        if !self.escapes {
            return text.find(&self.close).unwrap_or(text.len());
        }
        let mut escaped = false;
        for (at, byte) in text.bytes().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => return at,
                _ => {}
            }
        }
        text.len()
    }
}

/// The quotes of the string that starts here, if one does.
fn string_quotes(text: &str, before: &str) -> Option<Quotes> {
    if text.starts_with('"') {
        return Some(Quotes { open: 1, close: "\"".to_owned(), escapes: true });
    }
    if before.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
        return None;
    }
    ["r", "br", "cr"].into_iter().find_map(|prefix| {
        let rest = text.strip_prefix(prefix)?;
        let hashes = rest.bytes().take_while(|byte| *byte == b'#').count();
        let close = format!("\"{}", "#".repeat(hashes));
        rest[hashes..].starts_with('"').then(|| Quotes {
            open: prefix.len() + hashes + 1,
            close,
            escapes: false,
        })
    })
}

/// The length of a character literal; `None` for a lifetime.
fn char_literal(text: &str) -> Option<usize> {
    let rest = text.strip_prefix('\'')?;
    let first = rest.chars().next()?;
    if first == '\\' {
        return rest[2..].find('\'').map(|end| end + 4);
    }
    rest[first.len_utf8()..].starts_with('\'').then(|| first.len_utf8() + 2)
}
