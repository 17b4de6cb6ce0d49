//! The read path: lists and reports skip the rules and fill plain views.

use domain::{OrderId, ProductId, UserId};

use crate::{
    EventView, Listing, MovementView, OrderListing, OrderQuery, OrderView, Page, ProductQuery, ProductView,
    Session, Store, StoreError, UserQuery, UserView, VerifyReport,
};

impl Store {
    /// One product with its stock, archived or not.
    pub async fn product(&self, id: ProductId) -> Result<Option<ProductView>, StoreError> {
        let _ = id;
        todo!()
    }

    /// A page of products.
    pub async fn products(&self, query: &ProductQuery) -> Result<Listing<ProductView>, StoreError> {
        let _ = query;
        todo!()
    }

    /// The ledger of a product, latest line first; `after` pages by line number.
    pub async fn movements(&self, id: ProductId, page: &Page) -> Result<Listing<MovementView>, StoreError> {
        let _ = (id, page);
        todo!()
    }

    /// One order with its items and the name of its user.
    pub async fn order(&self, id: OrderId) -> Result<Option<OrderView>, StoreError> {
        let _ = id;
        todo!()
    }

    /// A page of orders, with sums over all that match; page and sums show one state.
    pub async fn orders(&self, query: &OrderQuery) -> Result<OrderListing, StoreError> {
        let _ = query;
        todo!()
    }

    /// What happened to an order, earliest first.
    pub async fn timeline(&self, id: OrderId) -> Result<Vec<EventView>, StoreError> {
        let _ = id;
        todo!()
    }

    /// Events with numbers above `after`, in order.
    pub async fn events(&self, after: i64, limit: u32) -> Result<Vec<EventView>, StoreError> {
        let _ = (after, limit);
        todo!()
    }

    /// One user.
    pub async fn user(&self, id: UserId) -> Result<Option<UserView>, StoreError> {
        let _ = id;
        todo!()
    }

    /// The user with this login name or e-mail address, without regard to case.
    pub async fn user_by_login(&self, login: &str) -> Result<Option<UserView>, StoreError> {
        let _ = login;
        todo!()
    }

    /// A page of users by id.
    pub async fn users(&self, query: &UserQuery) -> Result<Listing<UserView>, StoreError> {
        let _ = query;
        todo!()
    }

    /// What must be known of a user for each request with a token.
    pub async fn session(&self, id: UserId) -> Result<Option<Session>, StoreError> {
        let _ = id;
        todo!()
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        todo!()
    }

    /// Proves that the ledger adds up to the levels and the allocations to the open orders. Repairs nothing.
    pub async fn verify(&self) -> Result<VerifyReport, StoreError> {
        todo!()
    }
}
