//! Encrypted connections, and with whom.

use super::own_server;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::path::Path;
use std::time::Duration;
use store::StoreError;
use store::driver::{Database, Options};
use tokio::time::Instant;

async fn open(url: &str) -> Result<Database, StoreError> {
    Database::open(url, Options::default()).await
}

/// Whether a connection to this database is encrypted.
async fn is_encrypted(database: &Database) -> bool {
    let mut reader = database.reader().await.unwrap();
    let mut rows = reader.query_dynamic_long("SHOW SESSION STATUS LIKE 'Ssl_cipher'", &[]).await.unwrap();
    !rows[0].text(1).unwrap().is_empty()
}

/// Why a URL leads nowhere, and that this is told at once.
async fn refusal(url: &str) -> String {
    let began = Instant::now();
    let error = open(url).await.unwrap_err();
    assert!(matches!(error, StoreError::Unsupported { .. }), "{url}: {error:?}");
    assert!(began.elapsed() < Duration::from_secs(3), "{url}: {:?}", began.elapsed());
    error.to_string()
}

/// An authority and what it has issued, in files that every user may read.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    fn write_to(&self, path: &Path) -> String {
        std::fs::write(path, self.issuer.pem()).unwrap();
        path.display().to_string()
    }

    /// The server's options for a certificate with these names.
    fn issue(&self, dir: &Path, names: &[&str]) -> [String; 2] {
        let key = KeyPair::generate().unwrap();
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.issuer).unwrap();
        let (cert_file, key_file) = (dir.join("cert.pem"), dir.join("key.pem"));
        std::fs::write(&cert_file, certificate.pem()).unwrap();
        std::fs::write(&key_file, key.serialize_pem()).unwrap();
        [format!("--ssl-cert={}", cert_file.display()), format!("--ssl-key={}", key_file.display())]
    }
}

/// A directory that the server's user can look into.
fn public_dir() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

#[tokio::test]
async fn the_modes_of_tls_mean_what_they_mean_to_the_client() {
    let dir = public_dir();
    let (authority, stranger) = (Authority::new("known"), Authority::new("strange"));
    let options = authority.issue(dir.path(), &["localhost"]);
    let server = own_server(&options.each_ref().map(String::as_str)).await;
    let known = authority.write_to(&dir.path().join("known.pem"));
    let strange = stranger.write_to(&dir.path().join("strange.pem"));
    for (host, mode, ca, expected) in [
        ("localhost", "DISABLED", "", Ok(false)),
        ("127.0.0.1", "", "", Ok(true)),
        ("127.0.0.1", "PREFERRED", "", Ok(true)),
        ("127.0.0.1", "REQUIRED", "", Ok(true)),
        // Authorities that are named are meant.
        ("127.0.0.1", "", &*known, Ok(true)),
        ("127.0.0.1", "REQUIRED", &*known, Ok(true)),
        ("127.0.0.1", "PREFERRED", &*strange, Err("UnknownIssuer")),
        ("127.0.0.1", "REQUIRED", &*strange, Err("UnknownIssuer")),
        ("127.0.0.1", "", &*strange, Err("UnknownIssuer")),
        ("127.0.0.1", "VERIFY_CA", &*known, Ok(true)),
        ("localhost", "VERIFY_CA", &*strange, Err("UnknownIssuer")),
        ("localhost", "VERIFY_IDENTITY", &*known, Ok(true)),
        ("127.0.0.1", "VERIFY_IDENTITY", &*known, Err("not valid for")),
        ("localhost", "VERIFY_IDENTITY", &*strange, Err("UnknownIssuer")),
        // Those that browsers trust have not issued it.
        ("localhost", "VERIFY_CA", "", Err("UnknownIssuer")),
        ("localhost", "VERIFY_IDENTITY", "", Err("UnknownIssuer")),
    ] {
        let mut parameters = Vec::new();
        if !mode.is_empty() {
            parameters.push(format!("ssl-mode={mode}"));
        }
        if !ca.is_empty() {
            parameters.push(format!("ssl-ca={ca}"));
        }
        let url = format!("mysql://root@{host}:{}/stockroom?{}", server.port(), parameters.join("&"));
        match expected {
            Ok(expected) => assert_eq!(is_encrypted(&open(&url).await.unwrap()).await, expected, "{url}"),
            Err(words) => {
                let told = refusal(&url).await;
                assert!(told.contains(words), "{url}: {told}");
            }
        }
    }
}

#[tokio::test]
async fn a_certificate_may_have_any_name_but_must_be_of_the_authority() {
    let dir = public_dir();
    let authority = Authority::new("known");
    let known = authority.write_to(&dir.path().join("known.pem"));
    for names in [&["*.example.com"][..], &["10.1.2.3"], &["db.example.com", "localhost.example.com"]] {
        let options = authority.issue(dir.path(), names);
        let server = own_server(&options.each_ref().map(String::as_str)).await;
        let url = |mode: &str| {
            format!("mysql://root@127.0.0.1:{}/stockroom?ssl-mode={mode}&ssl-ca={known}", server.port())
        };
        assert!(is_encrypted(&open(&url("VERIFY_CA")).await.unwrap()).await, "{names:?}");
        assert!(refusal(&url("VERIFY_IDENTITY")).await.contains("not valid for"), "{names:?}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_spoken_to_in_the_open_unless_that_is_forbidden() {
    let server = own_server(&["--skip-ssl"]).await;
    let url = |mode: &str| format!("mysql://root@127.0.0.1:{}/stockroom?ssl-mode={mode}", server.port());
    for mode in ["DISABLED", "PREFERRED"] {
        assert!(!is_encrypted(&open(&url(mode)).await.unwrap()).await, "{mode}");
    }
    for mode in ["REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"] {
        assert!(refusal(&url(mode)).await.contains("cannot encrypt connections"), "{mode}");
    }
}

#[tokio::test]
async fn of_several_servers_only_one_that_takes_writes_is_used() {
    let replica = own_server(&["--read-only"]).await;
    let primary = own_server(&[]).await;
    let hosts = format!("127.0.0.1:{},127.0.0.1:{}", replica.port(), primary.port());
    let database = open(&format!("mysql://root@{hosts}/stockroom")).await.unwrap();
    database.migrate(1).await.unwrap();
    let mut reader = database.reader().await.unwrap();
    let port = reader.query("SELECT @@port", &[]).await.unwrap()[0].int(0).unwrap();
    assert_eq!(port, i64::from(primary.port()), "a query sees what was written");
    // A single server that only reads can be looked at, and is not written to.
    let options = Options { patience: Duration::from_millis(300), ..Options::default() };
    let database = Database::open(&replica.url("stockroom"), options).await.unwrap();
    assert!(database.missing_migrations().await.unwrap() > 0, "there is nothing yet");
    let error = database.begin().await.unwrap_err();
    assert!(matches!(error, StoreError::ConnectionLost(_)), "{error:?}");
    // As soon as it takes writes, it is used.
    let promoted = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        replica.query("", "SET GLOBAL read_only = 0").unwrap();
    };
    let database = open(&replica.url("stockroom")).await.unwrap();
    let (began, ()) = tokio::join!(database.begin(), promoted);
    assert!(began.is_ok(), "{began:?}");
}
