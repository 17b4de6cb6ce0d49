//! Signed tokens that say who is asking: JWT, HS256 and nothing else.

use std::fmt;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::signature::{Error as SignatureError, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::secret::SubKey;

/// Issuer and audience: this server talks to itself.
const STOCKROOM: &str = "stockroom";
/// Longer tokens are none of ours.
const LONGEST: usize = 4096;
/// How far the clocks of two servers may be apart, in microseconds.
const LEEWAY_US: i64 = 5_000_000;
const SECOND_US: i64 = 1_000_000;

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// For calling the API.
    Access,
    /// For nothing but getting a new access token.
    Refresh,
}

impl TokenKind {
    const fn word(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
        }
    }
}

/// What a valid token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claims {
    /// The user.
    pub user_id: i64,
    /// The user's token generation when it was issued; an older one than the user's present generation is void.
    pub generation: i64,
    /// When it was issued, in microseconds since 1970 (whole seconds).
    pub issued_at_us: i64,
    /// When it ends, in microseconds since 1970 (whole seconds).
    pub expires_at_us: i64,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is no token of this server: garbage, forged, signed otherwise, or for someone else.
    #[error("the token is not valid")]
    Invalid,
    /// It was good, and its time is over.
    #[error("the token has expired")]
    Expired,
    /// Its time has not come: the clocks of two servers differ.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// A refresh token where an access token is wanted, or the reverse.
    #[error("the token is of the wrong kind")]
    WrongKind,
    /// It cannot be made.
    #[error("the token cannot be signed")]
    Unsigned,
}

/// The claims as they travel.
#[derive(Debug, Serialize, Deserialize)]
struct WireClaims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    typ: &'a str,
    #[serde(rename = "gen")]
    generation: i64,
    iat: i64,
    nbf: i64,
    exp: i64,
}

/// The same, owned: what is left of a token after its signature was found good.
#[derive(Debug, Deserialize)]
struct ReceivedClaims {
    iss: String,
    aud: String,
    sub: String,
    typ: String,
    #[serde(rename = "gen")]
    generation: i64,
    iat: i64,
    nbf: i64,
    exp: i64,
}

/// A token that was found to be ours, whatever the time is. What it says will always be so.
#[derive(Clone, Copy)]
struct Genuine {
    kind: TokenKind,
    valid_from_us: i64,
    claims: Claims,
}

/// How many tokens are remembered as genuine, of some 300 bytes each. Forged ones never get in.
const REMEMBERED: usize = 4096;

/// Issues and verifies tokens.
pub struct Tokens {
    /// Most requests bring a token that was looked at a moment ago; its signature need not be computed again.
    genuine: Cache<Box<str>, Genuine>,
    signing: EncodingKey,
    verifying: DecodingKey,
    header: Header,
    validation: Validation,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Tokens([hidden])")
    }
}

impl Tokens {
    /// Issues and verifies with this key.
    #[must_use]
    pub fn new(key: &SubKey) -> Self {
        // A second call finds the provider installed already, which is as good.
        _ = HS256_ONLY.install_default();
        let mut validation = Validation::new(Algorithm::HS256);
        // Times are compared below with the time that is handed in; the crate would ask the system.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.leeway = 0;
        validation.set_issuer(&[STOCKROOM]);
        validation.set_audience(&[STOCKROOM]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        Self {
            genuine: Cache::new(REMEMBERED),
            signing: EncodingKey::from_secret(key.as_bytes()),
            verifying: DecodingKey::from_secret(key.as_bytes()),
            header: Header::new(Algorithm::HS256),
            validation,
        }
    }

    /// Makes a token that is good from now on for as long as `life`, in whole seconds.
    ///
    /// # Errors
    /// [`TokenError::Unsigned`] if the times do not fit; no clock shows such a time.
    pub fn issue(
        &self,
        kind: TokenKind,
        user_id: i64,
        generation: i64,
        now_us: i64,
        life: Duration,
    ) -> Result<String, TokenError> {
        let iat = now_us.div_euclid(SECOND_US);
        let life = i64::try_from(life.as_secs()).map_err(|_| TokenError::Unsigned)?;
        let exp = iat.checked_add(life).ok_or(TokenError::Unsigned)?;
        let sub = user_id.to_string();
        let claims = WireClaims {
            iss: STOCKROOM,
            aud: STOCKROOM,
            sub: &sub,
            typ: kind.word(),
            generation,
            iat,
            nbf: iat,
            exp,
        };
        jsonwebtoken::encode(&self.header, &claims, &self.signing).map_err(|_| TokenError::Unsigned)
    }

    /// Checks signature, issuer, audience, kind and times. Whether the generation is still the user's, and the
    /// user still active, is for the caller to check.
    ///
    /// # Errors
    /// [`TokenError`] saying why it is not accepted.
    pub fn verify(&self, kind: TokenKind, token: &str, now_us: i64) -> Result<Claims, TokenError> {
        let Genuine { kind: found, valid_from_us, claims } = match self.genuine.get(token) {
            Some(genuine) => genuine,
            None => {
                let genuine = self.examine(token)?;
                self.genuine.insert(token.into(), genuine);
                genuine
            }
        };
        if found != kind {
            return Err(TokenError::WrongKind);
        }
        if now_us >= claims.expires_at_us {
            return Err(TokenError::Expired);
        }
        if valid_from_us.saturating_sub(LEEWAY_US) > now_us {
            return Err(TokenError::NotYetValid);
        }
        Ok(claims)
    }

    /// Checks everything that no clock changes: signature, header, issuer, audience and form.
    fn examine(&self, token: &str) -> Result<Genuine, TokenError> {
        if token.len() > LONGEST {
            return Err(TokenError::Invalid);
        }
        let decoded = jsonwebtoken::decode::<ReceivedClaims>(token, &self.verifying, &self.validation)
            .map_err(|_| TokenError::Invalid)?;
        if !is_plain(&decoded.header) {
            return Err(TokenError::Invalid);
        }
        let claims = decoded.claims;
        // The crate accepts lists that hold the right name, too; ours are single names.
        if claims.iss != STOCKROOM || claims.aud != STOCKROOM {
            return Err(TokenError::Invalid);
        }
        let user_id: i64 = claims.sub.parse().map_err(|_| TokenError::Invalid)?;
        let microseconds = |seconds: i64| seconds.checked_mul(SECOND_US).ok_or(TokenError::Invalid);
        let (issued_at_us, valid_from_us, expires_at_us) =
            (microseconds(claims.iat)?, microseconds(claims.nbf)?, microseconds(claims.exp)?);
        let kind = match claims.typ.as_str() {
            "access" => TokenKind::Access,
            "refresh" => TokenKind::Refresh,
            _ => return Err(TokenError::WrongKind),
        };
        let claims = Claims { user_id, generation: claims.generation, issued_at_us, expires_at_us };
        Ok(Genuine { kind, valid_from_us, claims })
    }
}

/// Whether a header says no more than ours do. Fields that point to keys are an attack or a mistake.
fn is_plain(header: &Header) -> bool {
    *header == Header { typ: header.typ.clone(), ..Header::new(Algorithm::HS256) }
        && header.typ.as_deref().is_none_or(|typ| typ.eq_ignore_ascii_case("JWT"))
}

/// The only cryptography that the JWT crate is given. Its own choices would bring RSA and elliptic curves along.
static HS256_ONLY: CryptoProvider =
    CryptoProvider { signer_factory, verifier_factory, key_utils: KeyUtils::new_unimplemented() };

struct Hs256(Hmac<Sha256>);

impl Hs256 {
    fn new(key: &[u8], algorithm: Algorithm) -> jsonwebtoken::errors::Result<Self> {
        if algorithm != Algorithm::HS256 {
            return Err(ErrorKind::InvalidAlgorithm.into());
        }
        Hmac::new_from_slice(key).map(Self).map_err(|_| ErrorKind::InvalidKeyFormat.into())
    }
}

fn signer_factory(
    algorithm: &Algorithm,
    key: &EncodingKey,
) -> jsonwebtoken::errors::Result<Box<dyn JwtSigner>> {
    Ok(Box::new(Hs256::new(key.as_bytes(), *algorithm)?))
}

fn verifier_factory(
    algorithm: &Algorithm,
    key: &DecodingKey,
) -> jsonwebtoken::errors::Result<Box<dyn JwtVerifier>> {
    Ok(Box::new(Hs256::new(key.try_get_as_bytes()?, *algorithm)?))
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        let mut mac = self.0.clone();
        mac.update(message);
        Ok(mac.finalize().into_bytes().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
        let mut mac = self.0.clone();
        mac.update(message);
        // Whole length, and in constant time.
        mac.verify_slice(signature).map_err(|_| SignatureError::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests;
