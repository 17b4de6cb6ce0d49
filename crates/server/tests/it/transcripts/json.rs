//! JSON as it is written: a number keeps its text, so that `499.9` is not `499.90`, and each value knows its line.

use std::fmt;

/// A value and the line that it begins on.
#[derive(Debug, Clone)]
pub(crate) struct Json {
    pub(crate) line: usize,
    pub(crate) value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// As it stands in the text.
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// Where a value stands does not matter, only what it is.
impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Json {
    /// Reads one value that begins on line `line` of its file.
    ///
    /// # Errors
    /// What is wrong, with its line.
    pub(crate) fn read(text: &str, line: usize) -> Result<Self, String> {
        let mut reader = Reader { text, at: 0, line };
        let json = reader.value()?;
        reader.skip_blanks();
        match reader.peek() {
            None => Ok(json),
            Some(rest) => Err(reader.wrong(&format!("{rest:?} after the end"))),
        }
    }

    /// The member of an object.
    pub(crate) fn member(&self, name: &str) -> Option<&Self> {
        let Value::Object(members) = &self.value else { return None };
        members.iter().find(|(known, _)| known == name).map(|(_, member)| member)
    }
}

impl fmt::Display for Json {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Value::Null => out.write_str("null"),
            Value::Bool(value) => write!(out, "{value}"),
            Value::Number(token) => out.write_str(token),
            Value::Text(text) => write!(out, "{}", serde_json::Value::from(text.as_str())),
            Value::List(items) => {
                out.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    write!(out, "{}{item}", if index == 0 { "" } else { ", " })?;
                }
                out.write_str("]")
            }
            Value::Object(members) => {
                out.write_str("{")?;
                for (index, (name, member)) in members.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(out, "{comma}{}: {member}", serde_json::Value::from(name.as_str()))?;
                }
                out.write_str("}")
            }
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl<'a> Reader<'a> {
    fn wrong(&self, what: &str) -> String {
        format!("line {}: {what}", self.line)
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip_blanks(&mut self) {
        while let Some(blank @ (' ' | '\t' | '\r' | '\n')) = self.peek() {
            self.line += usize::from(blank == '\n');
            self.at += 1;
        }
    }

    /// Takes this character, after blanks, if it comes next.
    fn takes(&mut self, wanted: char) -> bool {
        self.skip_blanks();
        let comes = self.peek() == Some(wanted);
        if comes {
            self.at += wanted.len_utf8();
        }
        comes
    }

    fn value(&mut self) -> Result<Json, String> {
        self.skip_blanks();
        let line = self.line;
        let value = match self.peek() {
            Some('{') => self.object()?,
            Some('[') => self.list()?,
            Some('"') => Value::Text(self.string()?),
            _ => self.word()?,
        };
        Ok(Json { line, value })
    }

    fn object(&mut self) -> Result<Value, String> {
        self.at += 1;
        let mut members: Vec<(String, Json)> = Vec::new();
        if self.takes('}') {
            return Ok(Value::Object(members));
        }
        loop {
            self.skip_blanks();
            let name = self.string()?;
            if members.iter().any(|(known, _)| *known == name) {
                return Err(self.wrong(&format!("member {name:?} twice")));
            }
            if !self.takes(':') {
                return Err(self.wrong("no colon after a name"));
            }
            members.push((name, self.value()?));
            if self.takes('}') {
                return Ok(Value::Object(members));
            }
            if !self.takes(',') {
                return Err(self.wrong("neither , nor } after a member"));
            }
        }
    }

    fn list(&mut self) -> Result<Value, String> {
        self.at += 1;
        let mut items = Vec::new();
        if self.takes(']') {
            return Ok(Value::List(items));
        }
        loop {
            items.push(self.value()?);
            if self.takes(']') {
                return Ok(Value::List(items));
            }
            if !self.takes(',') {
                return Err(self.wrong("neither , nor ] after an item"));
            }
        }
    }

    fn string(&mut self) -> Result<String, String> {
        let rest = self.rest();
        if !rest.starts_with('"') {
            return Err(self.wrong("no string where one belongs"));
        }
        let mut escaped = false;
        for (index, character) in rest.char_indices().skip(1) {
            match character {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => {
                    self.at += index + 1;
                    return serde_json::from_str(&rest[..=index])
                        .map_err(|error| self.wrong(&error.to_string()));
                }
                _ => {}
            }
        }
        Err(self.wrong("a string without an end"))
    }

    fn word(&mut self) -> Result<Value, String> {
        let rest = self.rest();
        let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)));
        let word = &rest[..length.unwrap_or(rest.len())];
        let value = match word {
            "null" => Value::Null,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            number if is_number(number) => Value::Number(number.to_owned()),
            _ => return Err(self.wrong(&format!("{word:?} is no value"))),
        };
        self.at += word.len();
        Ok(value)
    }
}

/// The grammar of RFC 8259, whatever the size.
fn is_number(token: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let token = token.strip_prefix('-').unwrap_or(token);
    let (token, exponent) = match token.split_once(['e', 'E']) {
        Some((token, exponent)) => (token, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (token, None),
    };
    let (whole, fraction) = match token.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (token, None),
    };
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(digits)
}
