//! Text within limits.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::auth::passwords::is_common;

/// The characters that leave no mark, as ranges of a regular expression. [`is_visible`] says the same.
macro_rules! invisible {
    () => {
        concat!(" ", invisible_but_space!())
    };
}

macro_rules! invisible_but_space {
    () => {
        r"\u0000-\u001f\u007f-\u00a0\u00ad\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff"
    };
}

/// The characters that a line of text cannot hold. [`breaks_line`] says the same.
macro_rules! line_breaking {
    () => {
        r"\u0000-\u001f\u007f-\u009f\u2028\u2029"
    };
}

/// The control characters that several lines of text cannot hold. [`breaks_text`] says the same.
macro_rules! text_breaking {
    () => {
        r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f"
    };
}

fn is_visible(c: char) -> bool {
    !matches!(c,
        '\u{0}'..='\u{20}' | '\u{7f}'..='\u{a0}' | '\u{ad}' | '\u{1680}' | '\u{2000}'..='\u{200f}'
        | '\u{2028}'..='\u{202f}' | '\u{205f}'..='\u{206f}' | '\u{3000}' | '\u{feff}')
}

fn breaks_line(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

fn breaks_text(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\r' | '\t')
}

/// What all text types have in common.
trait TextRule: Sized {
    /// The fewest characters.
    const MIN: usize;
    /// The most characters.
    const MAX: usize;
    /// What the schema says.
    fn describe(schema: ObjectBuilder) -> ObjectBuilder;
    /// The rules beyond length.
    fn check(text: &str) -> Result<(), &'static str>;
    /// Wraps text that passed.
    fn wrap(text: String) -> Self;
}

fn length_and_rule<T: TextRule>(text: &str) -> Result<(), Cow<'static, str>> {
    if text.is_empty() && T::MIN > 0 {
        return Err(Cow::Borrowed("must not be empty"));
    }
    let characters = text.chars().take(T::MAX + 1).count();
    if characters < T::MIN {
        return Err(Cow::Owned(format!("must have at least {} characters", T::MIN)));
    }
    if characters > T::MAX {
        return Err(Cow::Owned(format!("must have at most {} characters", T::MAX)));
    }
    T::check(text).map_err(Cow::Borrowed)
}

struct TextVisitor<T>(PhantomData<T>);

impl<T: TextRule> Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("must be text")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        length_and_rule::<T>(text).map_err(E::custom)?;
        Ok(T::wrap(text.to_owned()))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<T, E> {
        length_and_rule::<T>(&text).map_err(E::custom)?;
        Ok(T::wrap(text))
    }
}

fn text_schema<T: TextRule>() -> RefOr<Schema> {
    let schema = ObjectBuilder::new().schema_type(Type::String).max_length(Some(T::MAX));
    T::describe(if T::MIN > 0 { schema.min_length(Some(T::MIN)) } else { schema }).into()
}

/// Declares a newtype over text with its limits, check and schema.
macro_rules! text_value {
    (
        $(#[$meta:meta])* $name:ident: $min:literal ..= $max:literal,
        check $check:expr, wrap $wrap:expr, schema $schema:expr
    ) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// Checks length and characters.
            ///
            /// # Errors
            /// What is wrong, to be said after the field's name.
            pub fn new(text: &str) -> Result<Self, String> {
                length_and_rule::<Self>(text).map_err(Cow::into_owned)?;
                Ok(<Self as TextRule>::wrap(text.to_owned()))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The text, given away.
            #[must_use]
            pub fn into_string(self) -> String {
                self.0
            }
        }

        impl TextRule for $name {
            const MIN: usize = $min;
            const MAX: usize = $max;

            fn describe(schema: ObjectBuilder) -> ObjectBuilder {
                let describe: fn(ObjectBuilder) -> ObjectBuilder = $schema;
                describe(schema)
            }

            fn check(text: &str) -> Result<(), &'static str> {
                let check: fn(&str) -> Result<(), &'static str> = $check;
                check(text)
            }

            fn wrap(text: String) -> Self {
                let wrap: fn(String) -> String = $wrap;
                Self(wrap(text))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_string(TextVisitor(PhantomData))
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                text_schema::<Self>()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    };
}

/// What public text can do and secrets cannot: be printed and sent.
macro_rules! public_text {
    ($($name:ident)+) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, out)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    )+};
}

/// Secrets show only that they are there.
macro_rules! secret_text {
    ($($name:ident)+) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(concat!(stringify!($name), "([hidden])"))
            }
        }
    )+};
}

public_text! { Sku ProductName Description Username Email FullName KeyName AuditAction Reason Note SearchText }
secret_text! { SetupCode NewPassword Password Login RefreshToken }

/// One line with something to see on it.
fn line(text: &str) -> Result<(), &'static str> {
    if text.chars().any(breaks_line) {
        return Err("must not contain line breaks or control characters");
    }
    if text.chars().any(is_visible) { Ok(()) } else { Err("must not be blank") }
}

const LINE: &str = concat!("^[^", line_breaking!(), "]*[^", invisible!(), "][^", line_breaking!(), "]*$");

/// Any number of lines, empty ones included.
fn lines(text: &str) -> Result<(), &'static str> {
    if text.chars().any(breaks_text) { Err("must not contain control characters") } else { Ok(()) }
}

const LINES: &str = concat!("^[^", text_breaking!(), "]*$");

/// Any number of lines with something to see on them.
fn visible_lines(text: &str) -> Result<(), &'static str> {
    lines(text)?;
    if text.chars().any(is_visible) { Ok(()) } else { Err("must not be blank") }
}

const VISIBLE_LINES: &str =
    concat!("^[^", text_breaking!(), "]*[^", invisible!(), "][^", text_breaking!(), "]*$");

/// Visible characters, with spaces permitted between them.
fn sku(text: &str) -> Result<(), &'static str> {
    if text.starts_with(' ') || text.ends_with(' ') {
        return Err("must not start or end with a space");
    }
    if text.chars().all(|c| c == ' ' || is_visible(c)) {
        Ok(())
    } else {
        Err("must consist of visible characters")
    }
}

const SKU: &str = concat!("^[^", invisible!(), "]([^", invisible_but_space!(), "]*[^", invisible!(), "])?$");

fn username(text: &str) -> Result<(), &'static str> {
    if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Err("must start with a letter or digit (a-z, A-Z, 0-9)");
    }
    if text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')) {
        Ok(())
    } else {
        Err("must consist of letters, digits, dots, underscores and hyphens (a-z, A-Z, 0-9, ., _, -)")
    }
}

/// The shape `local@domain` in ASCII; whether somebody reads it only a message can tell.
fn email(text: &str) -> Result<(), &'static str> {
    const SHAPE: &str = "must be an e-mail address like name@example.com";
    let (local, domain) = text.split_once('@').ok_or(SHAPE)?;
    let atom = |part: &str| {
        !part.is_empty()
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~-".contains(c))
    };
    let label = |part: &str| {
        (1..=63).contains(&part.len())
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    if local.split('.').all(atom) && domain.split('.').all(label) { Ok(()) } else { Err(SHAPE) }
}

const EMAIL: &str = concat!(
    r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*",
    r"@[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$",
);

/// What the databases cannot compare with.
fn no_nul(text: &str) -> Result<(), &'static str> {
    if text.contains('\0') { Err("must not contain the NUL character") } else { Ok(()) }
}

/// What is not guessed at once.
fn new_password(text: &str) -> Result<(), &'static str> {
    no_nul(text)?;
    if is_common(text) { Err("is one of the passwords that are tried first; choose another") } else { Ok(()) }
}

const NO_NUL: &str = r"^[^\u0000]*$";

text_value! {
    /// The shop's own name for a product.
    Sku: 1..=64, check sku, wrap |text| text,
    schema |schema| schema
        .description(Some("The shop's own code for the product; unique."))
        .pattern(Some(SKU))
        .examples(["MBP-16"])
}
text_value! {
    /// What customers call a product.
    ProductName: 1..=200, check line, wrap |text| text,
    schema |schema| schema
        .description(Some("What customers call the product."))
        .pattern(Some(LINE))
        .examples(["MacBook Pro 16\""])
}
text_value! {
    /// What there is to say about a product.
    Description: 0..=5000, check lines, wrap |text| text,
    schema |schema| schema
        .description(Some("What there is to say about the product; may have several lines."))
        .pattern(Some(LINES))
        .examples(["Aluminium, 16 inch display."])
}
text_value! {
    /// The name that a user logs in with.
    Username: 1..=64, check username, wrap |text| text,
    schema |schema| schema
        .description(Some("The name the user logs in with."))
        .pattern(Some("^[A-Za-z0-9][A-Za-z0-9._-]*$"))
        .examples(["john.doe"])
}
text_value! {
    /// An e-mail address, in lower case whatever was sent.
    Email: 3..=254, check email, wrap |mut text| { text.make_ascii_lowercase(); text },
    schema |schema| schema
        .description(Some("E-mail address; kept in lower case."))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Email)))
        .pattern(Some(EMAIL))
        .examples(["john.doe@example.com"])
}
text_value! {
    /// The name of a person.
    FullName: 1..=200, check line, wrap |text| text,
    schema |schema| schema
        .description(Some("The name of the person."))
        .pattern(Some(LINE))
        .examples(["John Doe"])
}
text_value! {
    /// What a machine's key is for.
    KeyName: 1..=100, check line, wrap |text| text,
    schema |schema| schema
        .description(Some("What the key is for."))
        .pattern(Some(LINE))
        .examples(["warehouse scanner"])
}
text_value! {
    /// What was done, as the audit log calls it.
    AuditAction: 1..=32, check line, wrap |text| text,
    schema |schema| schema
        .description(Some("What was done: the kind of thing, a dot, and the deed."))
        .pattern(Some(LINE))
        .examples(["product.update"])
}
text_value! {
    /// A password that is being set.
    NewPassword: 8..=128, check new_password, wrap |text| text,
    schema |schema| schema
        .description(Some("The password to be set; any characters, but none of the passwords that are tried first."))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)))
        .pattern(Some(NO_NUL))
        .write_only(true)
        .examples(["correct horse battery staple"])
}
text_value! {
    /// A password that is being tried. Its limit is wider than that of [`NewPassword`]: a wrong one is wrong,
    /// not invalid.
    Password: 1..=1024, check no_nul, wrap |text| text,
    schema |schema| schema
        .description(Some("The password."))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)))
        .pattern(Some(NO_NUL))
        .write_only(true)
        .examples(["correct horse battery staple"])
}
text_value! {
    /// The code with which a shop gets its first administrator.
    SetupCode: 1..=128, check no_nul, wrap |text| text,
    schema |schema| schema
        .description(Some("The code that the server printed when the shop was new, to become its administrator."))
        .pattern(Some(NO_NUL))
        .write_only(true)
        .examples(["3f9c0d4be1a74c5f8d2a6b7e9c015d34"])
}
text_value! {
    /// Why something was done, in a word or two.
    Reason: 1..=100, check line, wrap |text| text,
    schema |schema| schema
        .description(Some("Why, in a word or two."))
        .pattern(Some(LINE))
        .examples(["stocktake"])
}
text_value! {
    /// Whatever else there is to say.
    Note: 1..=1000, check visible_lines, wrap |text| text,
    schema |schema| schema
        .description(Some("Whatever else there is to say; may have several lines."))
        .pattern(Some(VISIBLE_LINES))
        .examples(["Two pieces were damaged."])
}
text_value! {
    /// The name that a login is tried with; not printed, for people type passwords into the wrong field. A name that
    /// nobody can have is wrong, not invalid.
    Login: 1..=254, check no_nul, wrap |text| text,
    schema |schema| schema
        .description(Some("The username or the e-mail address."))
        .pattern(Some(NO_NUL))
        .examples(["john.doe"])
}
text_value! {
    /// A refresh token as a client holds it.
    RefreshToken: 1..=4096, check no_nul, wrap |text| text,
    schema |schema| schema
        .description(Some("The refresh token of a login or refresh."))
        .pattern(Some(NO_NUL))
        .write_only(true)
        .examples(["eyJhbGciOiJIUzI1NiJ9.eyJ0eXAiOiJyZWZyZXNoIn0.c2lnbmF0dXJl"])
}
text_value! {
    /// What a list is searched for.
    SearchText: 1..=100, check line, wrap |text| text,
    schema |schema| schema
        .description(Some("Text to be found, without regard to case."))
        .pattern(Some(LINE))
        .examples(["macbook"])
}
