//! Who is let in, and with whom one speaks.

use super::{one, own_server};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::path::{Path, PathBuf};
use std::time::Duration;
use store::StoreError;
use store::driver::{Database, Options};
use testbed::Server;
use tokio::time::Instant;

/// 1 when the connection that asks is encrypted.
const IS_ENCRYPTED: &str =
    "SELECT CASE WHEN s.ssl THEN 1 ELSE 0 END FROM pg_stat_ssl s WHERE s.pid = pg_backend_pid()";

async fn open(url: &str) -> Result<Database, StoreError> {
    Database::open(url, Options::default()).await
}

/// Why a URL leads nowhere, and that this is told at once: nobody has to wait for what will never work.
async fn refusal(url: &str) -> String {
    let began = Instant::now();
    let error = open(url).await.unwrap_err();
    assert!(matches!(error, StoreError::Unsupported { .. }), "{url}: {error:?}");
    assert!(began.elapsed() < Duration::from_secs(3), "{url}: {:?}", began.elapsed());
    let told = format!("{error} {error:?}");
    assert!(!told.contains("s3cret") && !told.contains("wr0ng"), "{told}");
    error.to_string()
}

/// Writes a file of the server's, as its own user and for that user alone.
fn write(server: &Server, name: &str, text: &str) {
    let directory = server.query("stockroom", "SHOW data_directory").unwrap();
    let path = Path::new(directory.trim()).join(name);
    let lines: Vec<_> = text.lines().map(|line| format!("('{line}')")).collect();
    let sql = format!(
        "COPY (SELECT line FROM (VALUES {}) AS lines (line)) TO PROGRAM 'umask 077; cat > {}'",
        lines.join(", "),
        path.display()
    );
    server.query("stockroom", &sql).unwrap();
}

/// Lets the server look at its settings again. It does so between two moments, so it is asked until it has.
fn reload(server: &Server) {
    server.query("stockroom", "SELECT pg_reload_conf()").unwrap();
    std::thread::sleep(Duration::from_millis(300));
}

#[tokio::test]
async fn who_is_not_let_in_is_told_at_once() {
    let server = own_server(false);
    for sql in [
        "CREATE ROLE clerk LOGIN PASSWORD 's3cret'",
        "CREATE ROLE guest LOGIN",
        "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0",
    ] {
        server.query("stockroom", sql).unwrap();
    }
    let rules = "host all clerk 127.0.0.1/32 scram-sha-256\nhost all stockroom,guest 127.0.0.1/32 trust";
    write(&server, "pg_hba.conf", rules);
    reload(&server);
    let port = server.port();
    let url = |who: &str, rest: &str| format!("postgres://{who}@127.0.0.1:{port}/{rest}");
    assert_eq!(one(&open(&url("clerk:s3cret", "stockroom")).await.unwrap(), "SELECT 7", &[]).await, 7);
    for (who, name, words) in [
        ("clerk:wr0ng", "stockroom", "does not let this user in"),
        ("clerk", "stockroom", "password missing"),
        ("nobody:s3cret", "stockroom", "does not let this user in"),
        ("stockroom", "nothing", "no database of this name"),
        ("stockroom", "latin", "UTF8"),
    ] {
        let told = refusal(&url(who, name)).await;
        assert!(told.contains(words), "{who}: {told}");
    }
    // A password that is wrong for the first host is not tried at the next.
    let both = format!("postgres://clerk:wr0ng@127.0.0.1:{port},127.0.0.1:1/stockroom");
    assert!(refusal(&both).await.contains("does not let this user in"));

    // A schema is made with the first migration, by whoever may; who may not can use one that is there.
    let guest = open(&url("guest", "stockroom?schema=front")).await.unwrap();
    let told = guest.migrate(1).await.unwrap_err();
    assert!(told.to_string().contains("does not exist, and this user may not create it"), "{told:?}");
    let owner = open(&url("stockroom", "stockroom?schema=front")).await.unwrap();
    assert!(owner.missing_migrations().await.unwrap() > 0);
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname = 'front'";
    assert_eq!(server.query("stockroom", schemas).as_deref(), Ok("0\n"), "looking changes nothing");
    assert!(!owner.migrate(1).await.unwrap().is_empty());
    for sql in ["GRANT USAGE ON SCHEMA front TO guest", "GRANT ALL ON ALL TABLES IN SCHEMA front TO guest"] {
        server.query("stockroom", sql).unwrap();
    }
    let mut transaction = guest.begin().await.unwrap();
    let counters = transaction.query("SELECT name FROM counters {for update}", &[]).await.unwrap();
    assert_eq!(counters.len(), 8);
}

/// An authority and what it has issued.
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

    fn write_to(&self, path: PathBuf) -> PathBuf {
        std::fs::write(&path, self.issuer.pem()).unwrap();
        path
    }

    /// Gives the server a certificate for a name.
    fn equip(&self, server: &Server, name: &str, change: impl FnOnce(&mut CertificateParams)) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        equip(server, &certificate.pem(), &key);
    }
}

fn equip(server: &Server, certificate: &str, key: &KeyPair) {
    write(server, "server.crt", certificate);
    write(server, "server.key", &key.serialize_pem());
    server.query("stockroom", "ALTER SYSTEM SET ssl = on").unwrap();
    reload(server);
}

#[tokio::test]
async fn the_modes_of_tls_mean_what_they_mean_to_libpq() {
    let server = own_server(false);
    let dir = tempfile::tempdir().unwrap();
    let url = |host: &str, parameters: &str| {
        format!("postgres://stockroom@{host}:{}/stockroom?{parameters}", server.port())
    };
    for (mode, encrypted) in
        [("disable", Some(0)), ("prefer", Some(0)), ("require", None), ("verify-full", None)]
    {
        let url = url("127.0.0.1", &format!("sslmode={mode}"));
        match encrypted {
            Some(expected) => assert_eq!(one(&open(&url).await.unwrap(), IS_ENCRYPTED, &[]).await, expected),
            None => assert!(refusal(&url).await.contains("server does not support TLS")),
        }
    }

    let (authority, stranger) = (Authority::new("known"), Authority::new("strange"));
    authority.equip(&server, "localhost", |_| {});
    let known = authority.write_to(dir.path().join("known.pem"));
    let strange = stranger.write_to(dir.path().join("strange.pem"));
    let both = dir.path().join("both.pem");
    std::fs::write(&both, authority.issuer.pem() + &stranger.issuer.pem()).unwrap();
    let (known, strange, both) =
        (known.display().to_string(), strange.display().to_string(), both.display().to_string());
    for (host, mode, roots, expected) in [
        ("localhost", "disable", "", Ok(0)),
        ("127.0.0.1", "prefer", "", Ok(1)),
        ("127.0.0.1", "require", "", Ok(1)),
        // Authorities that are named are meant.
        ("127.0.0.1", "require", &*known, Ok(1)),
        ("127.0.0.1", "prefer", &*strange, Err("UnknownIssuer")),
        ("127.0.0.1", "require", &*strange, Err("UnknownIssuer")),
        ("127.0.0.1", "verify-ca", &*known, Ok(1)),
        ("127.0.0.1", "verify-ca", &*both, Ok(1)),
        ("localhost", "verify-ca", &*strange, Err("UnknownIssuer")),
        ("localhost", "verify-full", &*known, Ok(1)),
        ("127.0.0.1", "verify-full", &*known, Err("not valid for")),
        ("localhost", "verify-full", &*strange, Err("UnknownIssuer")),
        // Those that browsers trust have not issued it.
        ("localhost", "verify-ca", "", Err("UnknownIssuer")),
        ("localhost", "verify-full", "system", Err("UnknownIssuer")),
    ] {
        let roots = if roots.is_empty() { String::new() } else { format!("&sslrootcert={roots}") };
        let url = url(host, &format!("sslmode={mode}{roots}"));
        match expected {
            Ok(expected) => {
                let found = one(&open(&url).await.unwrap(), IS_ENCRYPTED, &[]).await;
                assert_eq!(found, expected, "{url}");
            }
            Err(words) => {
                let told = refusal(&url).await;
                assert!(told.contains(words), "{url}: {told}");
            }
        }
    }
}

#[tokio::test]
async fn certificates_that_have_expired_or_stand_for_themselves() {
    let server = own_server(false);
    let dir = tempfile::tempdir().unwrap();
    let roots = |name: &str, pem: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, pem).unwrap();
        format!(
            "postgres://stockroom@localhost:{}/stockroom?sslmode=verify-full&sslrootcert={}",
            server.port(),
            path.display()
        )
    };
    let authority = Authority::new("known");
    authority.equip(&server, "localhost", |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
    let told = refusal(&roots("authority.pem", &authority.issuer.pem())).await;
    assert!(told.contains("expired"), "{told}");

    // As `openssl req -x509` makes it: the server's certificate is its own authority.
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    for (year, expected) in [(2090, None), (2020, Some("expired"))] {
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let own = params.self_signed(&key).unwrap();
        equip(&server, &own.pem(), &key);
        let url = roots("own.pem", &own.pem());
        match expected {
            None => assert_eq!(one(&open(&url).await.unwrap(), IS_ENCRYPTED, &[]).await, 1),
            Some(words) => {
                let told = refusal(&url).await;
                assert!(told.contains(words), "{told}");
            }
        }
        // It stands for itself alone, not for one that only looks like it.
        let other = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        refusal(&roots("other.pem", &other.pem())).await;
    }
}

/// Some servers take connections from some networks only without TLS.
#[tokio::test]
async fn who_prefers_tls_does_without_where_it_is_not_wanted() {
    let server = own_server(false);
    Authority::new("known").equip(&server, "localhost", |_| {});
    write(&server, "pg_hba.conf", "hostnossl all all 127.0.0.1/32 trust");
    reload(&server);
    let url = |mode: &str| format!("{}?sslmode={mode}", server.url(""));
    assert_eq!(one(&open(&url("prefer")).await.unwrap(), IS_ENCRYPTED, &[]).await, 0);
    assert!(refusal(&url("require")).await.contains("pg_hba.conf"));
}
