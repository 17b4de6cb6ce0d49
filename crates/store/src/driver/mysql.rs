//! STUB, replaced by the driver.
use super::network::{Access, Link, Role, Sql};
use super::set::SetStatement;
use super::{Options, Row, Rows, Value};
use crate::StoreError;

/// Where the database is.
#[derive(Debug)]
pub(super) struct Address;

impl Address {
    pub(super) fn parse(_url: &str) -> Result<Self, StoreError> {
        Err(StoreError::unsupported("not yet"))
    }
}

/// One connection.
pub(super) struct Connection;

impl Link for Connection {
    type Address = Address;

    async fn connect(_address: &Address, _role: Role, _options: &Options) -> Result<Self, StoreError> {
        Err(StoreError::unsupported("not yet"))
    }

    fn is_open(&self) -> bool {
        false
    }

    async fn begin(&mut self, _access: Access) -> Result<(), StoreError> {
        Err(StoreError::unsupported("not yet"))
    }

    async fn commit(&mut self) -> Result<(), StoreError> {
        Err(StoreError::unsupported("not yet"))
    }

    async fn roll_back(&mut self) -> Result<(), StoreError> {
        Err(StoreError::unsupported("not yet"))
    }

    async fn query(&mut self, _sql: Sql<'_>, _params: &[Value]) -> Result<Vec<Row>, StoreError> {
        Err(StoreError::unsupported("not yet"))
    }

    async fn query_all(
        &mut self,
        _queries: &[(&'static str, Vec<Value>)],
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        Err(StoreError::unsupported("not yet"))
    }

    async fn execute(&mut self, _sql: Sql<'_>, _params: &[Value]) -> Result<u64, StoreError> {
        Err(StoreError::unsupported("not yet"))
    }

    async fn run_sets(&mut self, _sets: &[(SetStatement, &Rows)]) -> Result<Vec<u64>, StoreError> {
        Err(StoreError::unsupported("not yet"))
    }
}
