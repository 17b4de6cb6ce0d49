//! What only the tests of the store do to a database: look into its file, and change it behind everybody's back.

use mysql_async::prelude::Queryable as _;

use crate::place::{Home, Place, run};

/// On PostgreSQL, CHECK and foreign keys cannot be switched off, so the tables lose them for good.
const DROP_CONSTRAINTS: &str = "DO 'DECLARE found record; BEGIN \
     FOR found IN SELECT conrelid::regclass AS place, conname FROM pg_constraint \
     WHERE contype IN (''c'', ''f'') AND connamespace = current_schema()::regnamespace \
     LOOP EXECUTE format(''ALTER TABLE %s DROP CONSTRAINT %I'', found.place, found.conname); END LOOP; END'";

impl Place {
    /// A connection to the server of a MySQL database without the store, and without a database.
    pub(crate) async fn beside(&self) -> mysql_async::Conn {
        let Home::Database(server, _) = self.home() else { panic!("this is not MySQL") };
        mysql_async::Conn::new(mysql_async::Opts::from_url(server.as_str()).unwrap()).await.unwrap()
    }

    /// The directory with the file.
    pub(crate) fn dir(&self) -> &std::path::Path {
        match self.home() {
            Home::File(dir) => dir.path(),
            Home::Schema(..) | Home::Database(..) => panic!("the database is not a file"),
        }
    }

    /// A copy of everything, complete and compact, where that is cheap: of a file.
    pub(crate) fn copied(&self) -> Option<Self> {
        let Home::File(dir) = self.home() else { return None };
        let copy = Self::sqlite();
        let raw = rusqlite::Connection::open(dir.path().join("test.sqlite")).unwrap();
        raw.execute("VACUUM INTO ?", [copy.dir().join("test.sqlite").to_str().unwrap()]).unwrap();
        Some(copy)
    }

    /// A column of long texts as an index wants it.
    pub(crate) fn indexed(&self, column: &str) -> String {
        let length = if matches!(self.home(), Home::Database(..)) { "(100)" } else { "" };
        format!("{column}{length}")
    }

    /// Changes the database behind everybody's back, constraints or not.
    pub(crate) async fn sabotage(&self, sql: &str) {
        match self.home() {
            Home::File(dir) => {
                let raw = rusqlite::Connection::open(dir.path().join("test.sqlite")).unwrap();
                raw.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;")
                    .unwrap();
                raw.execute_batch(sql).unwrap();
            }
            Home::Schema(..) => run(self.url(), &[DROP_CONSTRAINTS, sql]).await,
            Home::Database(..) => {
                unguard_mysql(self.url()).await;
                // MariaDB's name; MySQL has none for the whole session.
                let checks = "SET foreign_key_checks = 0 /*M!100600 , check_constraint_checks = 0 */";
                run(self.url(), &[checks, sql]).await;
            }
        }
    }
}

/// Has MySQL pass over every CHECK of a database from now on. MariaDB can do so for a session, and is left alone.
async fn unguard_mysql(url: &str) {
    // Its parameters are the store's own.
    let url = url.split('?').next().unwrap_or(url);
    let options = mysql_async::Opts::from_url(url).unwrap();
    let mut connection = mysql_async::Conn::new(options).await.unwrap();
    let enforced = "SELECT CONCAT('ALTER TABLE ', TABLE_NAME, ' ALTER CHECK ', CONSTRAINT_NAME, ' NOT ENFORCED') \
         FROM information_schema.TABLE_CONSTRAINTS \
         WHERE CONSTRAINT_SCHEMA = DATABASE() AND CONSTRAINT_TYPE = 'CHECK' AND @@version NOT LIKE '%MariaDB%'";
    for sql in connection.query::<String, _>(enforced).await.unwrap() {
        connection.query_drop(sql).await.unwrap();
    }
    connection.disconnect().await.unwrap();
}
