//! Commands on the catalogue.

use super::{require_range, require_staff, require_version};
use crate::{
    Cause, Change, Command, Context, Decision, Draft, Event, Keys, MAX_PRICE_CENTS, MAX_STOCK, MovementKind,
    Product, ProductId, Rejection, Snapshot, StockLevel,
};

/// A product with its level, as callers see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductWithStock {
    /// Catalogue data.
    pub product: Product,
    /// Stock.
    pub level: StockLevel,
}

/// The SKU of a product that was created without one.
#[must_use]
pub fn generated_sku(id: ProductId) -> String {
    format!("SKU-{}", id.0)
}

/// Generated SKUs must never meet a chosen one, so nobody may choose one of their form.
fn is_generated_form(sku: &str) -> bool {
    sku.strip_prefix("SKU-")
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A product that keeps its SKU does not ask for it.
fn require_free_sku(snapshot: &Snapshot, sku: &str) -> Result<(), Rejection> {
    match snapshot.sku_owner(sku) {
        Some(_) => Err(Rejection::SkuTaken(sku.to_owned())),
        None if is_generated_form(sku) => Err(Rejection::SkuReserved(sku.to_owned())),
        None => Ok(()),
    }
}

/// The product, if it is there and of the version the caller had seen.
fn known(snapshot: &Snapshot, id: ProductId, if_version: Option<i64>) -> Result<&Product, Rejection> {
    let product = snapshot.product(id).ok_or_else(|| Rejection::ProductsNotFound(vec![id]))?;
    require_version(if_version, product.version)?;
    Ok(product)
}

/// As [`known`], if it is not archived.
fn editable(snapshot: &Snapshot, id: ProductId, if_version: Option<i64>) -> Result<&Product, Rejection> {
    let product = known(snapshot, id, if_version)?;
    if product.archived_at_us.is_some() {
        return Err(Rejection::ProductArchived(id));
    }
    Ok(product)
}

/// Ends a draft with the product and its level as it left them.
fn decide_product(draft: Draft<'_>, product: Product) -> Decision<ProductWithStock> {
    let level = draft.level(product.id);
    draft.decide(ProductWithStock { product, level })
}

/// Adds a product to the catalogue, possibly with stock.
#[derive(Debug, Clone)]
pub struct CreateProduct {
    /// Stock keeping unit; made from the id when absent.
    pub sku: Option<String>,
    /// Name for display.
    pub name: String,
    /// Longer text.
    pub description: String,
    /// Price of one piece, minor units.
    pub price_cents: i64,
    /// Whether it takes orders at once.
    pub is_active: bool,
    /// Low when `available <= low_stock_threshold`.
    pub low_stock_threshold: i64,
    /// Deactivate at zero available.
    pub auto_deactivate: bool,
    /// Pieces on hand to begin with.
    pub opening_stock: i64,
    /// Refuse a name that another product of the catalogue has (archived ones do not count).
    pub unique_name: bool,
}

impl CreateProduct {
    /// An active product without a name, price or stock, to start from.
    #[must_use]
    pub const fn plain() -> Self {
        Self {
            sku: None,
            name: String::new(),
            description: String::new(),
            price_cents: 0,
            is_active: true,
            low_stock_threshold: 0,
            auto_deactivate: false,
            opening_stock: 0,
            unique_name: false,
        }
    }
}

impl Command for CreateProduct {
    type Outcome = ProductWithStock;

    fn word(&self) -> &'static str {
        "product.create"
    }

    fn keys(&self, _: &Context) -> Keys {
        let names = if self.unique_name { vec![self.name.clone()] } else { Vec::new() };
        Keys { skus: self.sku.iter().cloned().collect(), names, ..Keys::default() }
    }

    fn decide(
        &self,
        snapshot: &Snapshot,
        context: &Context,
    ) -> Result<Decision<ProductWithStock>, Rejection> {
        require_staff(context)?;
        require_range("price_cents", None, self.price_cents, (0, MAX_PRICE_CENTS))?;
        require_range("low_stock_threshold", None, self.low_stock_threshold, (0, MAX_STOCK))?;
        require_range("stock_quantity", None, self.opening_stock, (0, MAX_STOCK))?;
        if self.unique_name && snapshot.is_name_taken(&self.name) {
            return Err(Rejection::NameTaken(self.name.clone()));
        }
        if let Some(sku) = &self.sku {
            require_free_sku(snapshot, sku)?;
        }
        let mut draft = Draft::new(snapshot, context);
        let id = ProductId(snapshot.next.product);
        let product = Product {
            id,
            sku: self.sku.clone().unwrap_or_else(|| generated_sku(id)),
            name: self.name.clone(),
            description: self.description.clone(),
            price_cents: self.price_cents,
            is_active: self.is_active,
            archived_at_us: None,
            low_stock_threshold: self.low_stock_threshold,
            auto_deactivate: self.auto_deactivate,
            version: 1,
            created_at_us: context.now_us,
            updated_at_us: context.now_us,
        };
        draft.put(Change::PutProduct(product.clone()));
        draft.record(Event::ProductCreated { product_id: id, sku: product.sku.clone() });
        if self.opening_stock > 0 {
            draft.move_stock(id, MovementKind::Opening, (self.opening_stock, 0), Cause::default())?;
        } else {
            // The level exists from the start; nothing moved, so the ledger has nothing to say.
            draft.put(Change::PutLevel(StockLevel { product_id: id, on_hand: 0, allocated: 0, version: 0 }));
        }
        Ok(decide_product(draft, product))
    }
}

/// Changes catalogue data, and counts the stock if asked to; what is `None` stays.
#[derive(Debug, Clone)]
pub struct UpdateProduct {
    /// The product.
    pub product_id: ProductId,
    /// The version the caller had seen, if they insist on it.
    pub if_version: Option<i64>,
    /// New SKU.
    pub sku: Option<String>,
    /// New name.
    pub name: Option<String>,
    /// New description.
    pub description: Option<String>,
    /// New price, minor units; orders already placed keep theirs.
    pub price_cents: Option<i64>,
    /// Take orders or not.
    pub is_active: Option<bool>,
    /// New threshold.
    pub low_stock_threshold: Option<i64>,
    /// Deactivate at zero available.
    pub auto_deactivate: Option<bool>,
    /// Pieces that can be sold from now on: on hand becomes this plus what open orders hold. Counted after the rest is
    /// changed, so a last piece that goes this way deactivates even a product that was to be active.
    pub available: Option<i64>,
}

impl Command for UpdateProduct {
    type Outcome = ProductWithStock;

    fn word(&self) -> &'static str {
        "product.update"
    }

    fn keys(&self, _: &Context) -> Keys {
        Keys { products: vec![self.product_id], skus: self.sku.iter().cloned().collect(), ..Keys::default() }
    }

    fn decide(
        &self,
        snapshot: &Snapshot,
        context: &Context,
    ) -> Result<Decision<ProductWithStock>, Rejection> {
        require_staff(context)?;
        let before = editable(snapshot, self.product_id, self.if_version)?;
        if let Some(sku) = self.sku.as_ref().filter(|sku| **sku != before.sku) {
            require_free_sku(snapshot, sku)?;
        }
        let mut after = self.merged(before)?;
        let mut draft = Draft::new(snapshot, context);
        let level = draft.level(before.id);
        let available = self.counted(level)?;
        if after != *before {
            after = Product { version: before.version + 1, updated_at_us: context.now_us, ..after };
            put_product(&mut draft, before, &after, available);
        }
        if available != level.available() {
            count(&mut draft, level, available)?;
            // The last piece may have deactivated it.
            after = draft.product(before.id).cloned().unwrap_or(after);
        }
        Ok(decide_product(draft, after))
    }
}

impl UpdateProduct {
    /// A change of nothing, to start from.
    #[must_use]
    pub const fn nothing(product_id: ProductId) -> Self {
        Self {
            product_id,
            if_version: None,
            sku: None,
            name: None,
            description: None,
            price_cents: None,
            is_active: None,
            low_stock_threshold: None,
            auto_deactivate: None,
            available: None,
        }
    }

    /// Pieces that can be sold when the command is done.
    fn counted(&self, level: StockLevel) -> Result<i64, Rejection> {
        let Some(available) = self.available else { return Ok(level.available()) };
        require_range("stock_quantity", None, available, (0, MAX_STOCK - level.allocated))?;
        Ok(available)
    }

    fn merged(&self, before: &Product) -> Result<Product, Rejection> {
        let price_cents = self.price_cents.unwrap_or(before.price_cents);
        let low_stock_threshold = self.low_stock_threshold.unwrap_or(before.low_stock_threshold);
        require_range("price_cents", None, price_cents, (0, MAX_PRICE_CENTS))?;
        require_range("low_stock_threshold", None, low_stock_threshold, (0, MAX_STOCK))?;
        Ok(Product {
            sku: self.sku.clone().unwrap_or_else(|| before.sku.clone()),
            name: self.name.clone().unwrap_or_else(|| before.name.clone()),
            description: self.description.clone().unwrap_or_else(|| before.description.clone()),
            price_cents,
            is_active: self.is_active.unwrap_or(before.is_active),
            low_stock_threshold,
            auto_deactivate: self.auto_deactivate.unwrap_or(before.auto_deactivate),
            ..before.clone()
        })
    }
}

/// Somebody counted: so many pieces can be sold, beside those that open orders hold.
fn count(draft: &mut Draft<'_>, before: StockLevel, available: i64) -> Result<(), Rejection> {
    let product_id = before.product_id;
    let delta = (available - before.available(), 0);
    let after = draft.move_stock(product_id, MovementKind::Counted, delta, Cause::default())?;
    draft.record(Event::StockAdjusted { product_id, from: before.on_hand, to: after.on_hand });
    Ok(())
}

/// Writes an edited product and says what happened to it, a threshold raised past the stock included; unless the
/// command ends with more, that is with `available` pieces.
fn put_product(draft: &mut Draft<'_>, before: &Product, after: &Product, available: i64) {
    let product_id = after.id;
    draft.put(Change::PutProduct(after.clone()));
    let quiet = Product { is_active: before.is_active, ..after.clone() };
    let edited = Product { version: before.version, updated_at_us: before.updated_at_us, ..quiet } != *before;
    if edited {
        draft.record(Event::ProductUpdated { product_id, version: after.version });
    }
    match (before.is_active, after.is_active) {
        (false, true) => draft.record(Event::ProductActivated { product_id }),
        (true, false) => draft.record(Event::ProductDeactivated { product_id, automatic: false }),
        _ => {}
    }
    let threshold = after.low_stock_threshold;
    let is_crossed =
        (before.low_stock_threshold + 1..=threshold).contains(&draft.level(product_id).available());
    if is_crossed && available <= threshold {
        draft.record(Event::StockRanLow { product_id, available, threshold });
    }
}

/// Turns an active product inactive and the other way round.
#[derive(Debug, Clone)]
pub struct ToggleProduct {
    /// The product.
    pub product_id: ProductId,
    /// The version the caller had seen, if they insist on it.
    pub if_version: Option<i64>,
}

impl Command for ToggleProduct {
    type Outcome = ProductWithStock;

    fn word(&self) -> &'static str {
        "product.toggle"
    }

    fn keys(&self, _: &Context) -> Keys {
        Keys { products: vec![self.product_id], ..Keys::default() }
    }

    fn decide(
        &self,
        snapshot: &Snapshot,
        context: &Context,
    ) -> Result<Decision<ProductWithStock>, Rejection> {
        require_staff(context)?;
        let before = editable(snapshot, self.product_id, self.if_version)?;
        let after = Product {
            is_active: !before.is_active,
            version: before.version + 1,
            updated_at_us: context.now_us,
            ..before.clone()
        };
        let mut draft = Draft::new(snapshot, context);
        let available = draft.level(before.id).available();
        put_product(&mut draft, before, &after, available);
        Ok(decide_product(draft, after))
    }
}

/// What became of a deleted product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deleted {
    /// Orders refer to it, so it was archived.
    Archived(ProductWithStock),
    /// It was archived before; nothing changed.
    AlreadyArchived(ProductWithStock),
    /// Nothing referred to it, so it is gone.
    Erased,
}

/// Takes a product out of the catalogue: erased, or archived when orders refer to it.
#[derive(Debug, Clone)]
pub struct DeleteProduct {
    /// The product.
    pub product_id: ProductId,
    /// The version the caller had seen, if they insist on it.
    pub if_version: Option<i64>,
}

impl Command for DeleteProduct {
    type Outcome = Deleted;

    fn word(&self) -> &'static str {
        "product.delete"
    }

    fn keys(&self, _: &Context) -> Keys {
        Keys { products: vec![self.product_id], references: vec![self.product_id], ..Keys::default() }
    }

    fn decide(&self, snapshot: &Snapshot, context: &Context) -> Result<Decision<Deleted>, Rejection> {
        require_staff(context)?;
        let id = self.product_id;
        let before = known(snapshot, id, self.if_version)?;
        let mut draft = Draft::new(snapshot, context);
        let level = draft.level(id);
        if snapshot.is_referenced(id) {
            let mut product = before.clone();
            if before.archived_at_us.is_some() {
                return Ok(draft.decide(Deleted::AlreadyArchived(ProductWithStock { product, level })));
            }
            product.archived_at_us = Some(context.now_us);
            product.version += 1;
            product.updated_at_us = context.now_us;
            draft.put(Change::PutProduct(product.clone()));
            draft.record(Event::ProductArchived { product_id: id });
            return Ok(draft.decide(Deleted::Archived(ProductWithStock { product, level })));
        }
        if level.on_hand > 0 {
            // Auto-deactivation and low-stock notices would speak of a product that is about to be gone.
            draft.write_off(level)?;
        }
        draft.put(Change::EraseProduct(id));
        draft.record(Event::ProductErased { product_id: id, sku: before.sku.clone() });
        Ok(draft.decide(Deleted::Erased))
    }
}

/// Brings an archived product back into the catalogue.
#[derive(Debug, Clone)]
pub struct RestoreProduct {
    /// The product.
    pub product_id: ProductId,
    /// The version the caller had seen, if they insist on it.
    pub if_version: Option<i64>,
}

impl Command for RestoreProduct {
    type Outcome = ProductWithStock;

    fn word(&self) -> &'static str {
        "product.restore"
    }

    fn keys(&self, _: &Context) -> Keys {
        Keys { products: vec![self.product_id], ..Keys::default() }
    }

    fn decide(
        &self,
        snapshot: &Snapshot,
        context: &Context,
    ) -> Result<Decision<ProductWithStock>, Rejection> {
        require_staff(context)?;
        let id = self.product_id;
        let before = known(snapshot, id, self.if_version)?;
        let mut draft = Draft::new(snapshot, context);
        if before.archived_at_us.is_none() {
            return Ok(decide_product(draft, before.clone()));
        }
        let after = Product {
            archived_at_us: None,
            version: before.version + 1,
            updated_at_us: context.now_us,
            ..before.clone()
        };
        draft.put(Change::PutProduct(after.clone()));
        draft.record(Event::ProductRestored { product_id: id });
        Ok(decide_product(draft, after))
    }
}
