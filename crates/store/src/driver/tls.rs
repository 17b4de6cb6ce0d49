//! TLS to a database: whom to trust.

use crate::StoreError;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::path::Path;
use std::sync::Arc;

/// What the server's certificate must show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// Nothing: whoever can get in between can read along. It keeps out those who merely listen.
    Anyone,
    /// That it was issued by one of the authorities.
    Authority,
    /// That, and that it was issued for the host that was asked for.
    AuthorityAndName,
}

/// How to speak TLS to a server. The authorities are those in a PEM file, or without one those that browsers trust,
/// as of when this program was built. A certificate of the server itself may stand in the file, too.
///
/// # Errors
/// [`StoreError::Unsupported`] when the file cannot be read or has no certificate in it.
pub(super) fn client_config(trust: Trust, authorities: Option<&Path>) -> Result<ClientConfig, StoreError> {
    let provider = Arc::new(ring::default_provider());
    let (roots, given) = match authorities {
        Some(path) => read_authorities(path)?,
        None => (RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }, Vec::new()),
    };
    let verifier = Verifier { trust, roots, given, algorithms: provider.signature_verification_algorithms };
    with_verifier(provider, verifier)
        .map_err(|error| StoreError::unsupported(format!("TLS cannot be used: {error}")))
}

fn with_verifier(provider: Arc<CryptoProvider>, verifier: Verifier) -> Result<ClientConfig, Error> {
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    Ok(builder.with_no_client_auth())
}

type Authorities = (RootCertStore, Vec<CertificateDer<'static>>);

fn read_authorities(path: &Path) -> Result<Authorities, StoreError> {
    let refused = |why: String| {
        StoreError::unsupported(format!("the file of authorities {} cannot be used: {why}", path.display()))
    };
    let found = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| refused(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in &found {
        roots.add(certificate.clone()).map_err(|error| refused(error.to_string()))?;
    }
    if found.is_empty() {
        return Err(refused("there is no certificate in it".to_owned()));
    }
    Ok((roots, found))
}

/// Looks at certificates. Whether the server has the key that belongs to its certificate is checked in any case.
#[derive(Debug)]
struct Verifier {
    trust: Trust,
    roots: RootCertStore,
    /// The authorities as they stand in the file.
    given: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    fn check_issuer(
        &self,
        certificate: &CertificateDer<'_>,
        parsed: &ParsedCertificate<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let checked = verify_server_cert_signed_by_trust_anchor(
            parsed,
            &self.roots,
            intermediates,
            now,
            self.algorithms.all,
        );
        match checked {
            // A server that is its own authority, as `openssl req -x509` makes it. That the certificate has not
            // expired is checked before what it may be used for.
            Err(Error::InvalidCertificate(CertificateError::Other(_)))
                if self.given.contains(certificate) =>
            {
                Ok(())
            }
            checked => checked,
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.trust != Trust::Anyone {
            let parsed = ParsedCertificate::try_from(end_entity)?;
            self.check_issuer(end_entity, &parsed, intermediates, now)?;
            if self.trust == Trust::AuthorityAndName {
                verify_server_name(&parsed, server_name)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
