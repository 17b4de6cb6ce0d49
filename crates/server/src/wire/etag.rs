//! Entity tags: the version of what was read, and the conditions that clients make of it.

use super::checksum::checksum;
use super::invalid::Invalid;

/// More tags than this in one header are refused.
const MOST_TAGS: usize = 32;

/// The tag of a version: `"7"`.
#[must_use]
pub fn of_version(version: i64) -> String {
    format!("\"{version}\"")
}

/// The tag of a thing whose answer also shows its stock: `"7.3"`. A reader's tag must change with either number;
/// as a condition of a write only the one before the dot counts.
#[must_use]
pub fn of_versions(version: i64, stock_version: i64) -> String {
    format!("\"{version}.{stock_version}\"")
}

/// The tag of a thing whose answer also shows a name that is kept elsewhere: `"7.2166136261"`, with a checksum of the
/// name, or `"7"` without one. As in [`of_versions`], the part after the dot is for readers.
#[must_use]
pub fn of_version_and_name(version: i64, name: Option<&str>) -> String {
    name.map_or_else(|| of_version(version), |name| of_versions(version, checksum(name).into()))
}

/// The condition of an `If-Match` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfMatch {
    /// `*`: whatever version there is.
    Any,
    /// Only one of these versions. Tags that are none of ours match nothing, so they are left out.
    Versions(Vec<i64>),
}

impl IfMatch {
    /// Reads all `If-Match` headers of a request; `None` when there is none.
    ///
    /// # Errors
    /// [`Invalid`] on `If-Match` when it is no list of strong tags.
    pub fn parse<'a>(headers: impl IntoIterator<Item = &'a [u8]>) -> Result<Option<Self>, Invalid> {
        let refusal = |message: &str| Err(Invalid::one("If-Match", message));
        match tags(headers) {
            Err(()) => refusal("must be * or a list of quoted tags like \"7\""),
            Ok(None) => Ok(None),
            Ok(Some(Tags::Any)) => Ok(Some(Self::Any)),
            Ok(Some(Tags::List(list))) if list.iter().any(|tag| tag.weak) => {
                refusal("must not hold weak tags (W/\"…\")")
            }
            Ok(Some(Tags::List(list))) => {
                Ok(Some(Self::Versions(list.iter().filter_map(|tag| version_of(&tag.opaque)).collect())))
            }
        }
    }
}

/// The condition of an `If-None-Match` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfNoneMatch {
    /// `*`: only if there is nothing yet.
    Any,
    /// Only if it is none of these; the opaque parts, without quotes.
    Tags(Vec<String>),
}

impl IfNoneMatch {
    /// Reads all `If-None-Match` headers. A header that cannot be read is no condition: the client gets the
    /// whole answer, which is always right.
    #[must_use]
    pub fn parse<'a>(headers: impl IntoIterator<Item = &'a [u8]>) -> Option<Self> {
        match tags(headers) {
            Err(()) | Ok(None) => None,
            Ok(Some(Tags::Any)) => Some(Self::Any),
            Ok(Some(Tags::List(list))) => Some(Self::Tags(list.into_iter().map(|tag| tag.opaque).collect())),
        }
    }

    /// Whether the client already has what carries `etag` (quoted, strong or weak), so that 304 suffices.
    #[must_use]
    pub fn is_fresh(&self, etag: &str) -> bool {
        let opaque = etag.strip_prefix("W/").unwrap_or(etag).trim_matches('"');
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.iter().any(|tag| tag == opaque),
        }
    }
}

struct Tag {
    weak: bool,
    opaque: String,
}

enum Tags {
    Any,
    List(Vec<Tag>),
}

/// The version in a tag as [`of_version`] or [`of_versions`] spells it: one spelling only.
fn version_of(opaque: &str) -> Option<i64> {
    match opaque.split_once('.') {
        Some((version, stock_version)) => number(stock_version).and(number(version)),
        None => number(opaque),
    }
}

fn number(text: &str) -> Option<i64> {
    text.parse().ok().filter(|number: &i64| number.to_string() == text)
}

fn tags<'a>(headers: impl IntoIterator<Item = &'a [u8]>) -> Result<Option<Tags>, ()> {
    let mut found = None;
    let mut list = Vec::new();
    for header in headers {
        let mut rest = std::str::from_utf8(header).map_err(|_| ())?.trim_matches([' ', '\t']);
        found = Some(());
        if rest == "*" {
            list.push(None);
            continue;
        }
        while !rest.is_empty() {
            let (tag, after) = one_tag(rest)?;
            list.push(Some(tag));
            rest = after.trim_start_matches([' ', '\t']);
            if rest.is_empty() {
                break;
            }
            rest = rest.strip_prefix(',').ok_or(())?.trim_start_matches([' ', '\t', ',']);
        }
        if list.len() > MOST_TAGS {
            return Err(());
        }
    }
    if found.is_none() {
        return Ok(None);
    }
    // A star stands alone, and a header without any tag says nothing.
    match (list.len(), list.iter().any(Option::is_none)) {
        (0, _) | (2.., true) => Err(()),
        (_, true) => Ok(Some(Tags::Any)),
        (_, false) => Ok(Some(Tags::List(list.into_iter().flatten().collect()))),
    }
}

fn one_tag(text: &str) -> Result<(Tag, &str), ()> {
    let (weak, text) = text.strip_prefix("W/").map_or((false, text), |rest| (true, rest));
    let (opaque, rest) = text.strip_prefix('"').and_then(|text| text.split_once('"')).ok_or(())?;
    if opaque.chars().any(|c| c.is_control() || c == ' ') {
        return Err(());
    }
    Ok((Tag { weak, opaque: opaque.to_owned() }, rest))
}

#[cfg(test)]
mod tests;
