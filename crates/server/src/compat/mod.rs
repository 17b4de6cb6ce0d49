//! The façades: the contracts of four older services, translated to the same commands.
//!
//! Each has a file of its own that begins with its quirks; what FastAPI did for all of them is in `fastapi`, `flaws` and
//! `values`. They know the shop through [`crate::app`] and never each other.

mod described;
mod fastapi;
mod flaws;
mod inventory;
mod leafcraft;
mod login;
mod mini_order;
mod openapi;
mod orderflow;
mod paging;
mod stream;
mod values;

use axum::Router;
use axum::body::Bytes;
use axum::handler::Handler;
use axum::routing::{MethodRouter, any};
use utoipa::IntoResponses as _;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Flow, OAuth2, Password, Scopes, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{InfoBuilder, OpenApi, Paths, Server};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use crate::app::App;
use crate::http::docs::{self, unfill_optional_parameters};
use crate::http::problem::Problem;

/// What the contracts with customers say where the shop limits their open orders. None of them foresaw it; these are
/// words in the manner of theirs for too little stock.
const TOO_MANY_ORDERS: &str = "Too many open orders";
const TOO_MANY_UNITS: &str = "Too many units in open orders";

/// One of the older contracts. Each is mounted below `/compat/`, and one of them at `/` as well if the settings say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Facade {
    /// Stocks and one-line orders; no login.
    Orderflow,
    /// Products and orders with accounts, in envelopes with pages.
    MiniOrder,
    /// Products and orders that take their stock at confirmation.
    Leafcraft,
    /// Products and their stock; no login, no orders.
    Inventory,
}

impl Facade {
    /// All of them, in the order of the documentation.
    pub const ALL: &'static [Self] = &[Self::Orderflow, Self::MiniOrder, Self::Leafcraft, Self::Inventory];

    /// Its name in paths and settings.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Orderflow => "orderflow",
            Self::MiniOrder => "mini-order",
            Self::Leafcraft => "leafcraft",
            Self::Inventory => "inventory",
        }
    }

    /// Where it is always mounted.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Orderflow => "/compat/orderflow",
            Self::MiniOrder => "/compat/mini-order",
            Self::Leafcraft => "/compat/leafcraft",
            Self::Inventory => "/compat/inventory",
        }
    }

    /// Where its OpenAPI document is served.
    #[must_use]
    pub const fn document_path(self) -> &'static str {
        match self {
            Self::Orderflow => "/compat/orderflow/openapi.json",
            Self::MiniOrder => "/compat/mini-order/openapi.json",
            Self::Leafcraft => "/compat/leafcraft/openapi.json",
            Self::Inventory => "/compat/inventory/openapi.json",
        }
    }

    fn described(self) -> Described {
        match self {
            Self::Orderflow => orderflow::described(),
            Self::MiniOrder => mini_order::described(),
            Self::Leafcraft => leafcraft::described(),
            Self::Inventory => inventory::described(),
        }
    }
}

/// What a façade is made of.
struct Described {
    /// What its document is called.
    title: &'static str,
    /// What its document is about.
    about: &'static str,
    routes: Vec<UtoipaMethodRouter<App>>,
    /// Where its login is, if it knows one.
    login: Option<&'static str>,
}

/// Each path with its methods.
type Routes = Vec<(String, MethodRouter<App>)>;

fn parts(facade: Facade) -> (Routes, OpenApi) {
    let Described { title, about, routes, login } = facade.described();
    let info =
        InfoBuilder::new().title(title).description(Some(about)).version(env!("CARGO_PKG_VERSION")).build();
    let base = OpenApi::new(info, Paths::new());
    let mut router = OpenApiRouter::with_openapi(base);
    let mut mounted = Vec::new();
    for route in routes {
        for path in route.1.paths.keys() {
            // With and without the slash at the end, and never a redirect, which would lose the body.
            let bare = path.trim_end_matches('/');
            mounted.push((bare.to_owned(), route.2.clone()));
            mounted.push((format!("{bare}/"), route.2.clone()));
        }
        router = router.routes(route);
    }
    let (_, mut document) = router.split_for_parts();
    unfill_optional_parameters(&mut document);
    docs::tell_of_scopes(&mut document, &openapi::Detail::<403>::responses());
    openapi::tell_of_the_rest(&mut document);
    document.servers = Some(vec![Server::new(facade.prefix())]);
    secure(&mut document, login.map(|path| format!("{}{path}", facade.prefix())));
    (mounted, document)
}

/// Says how tokens are sent, and where they come from.
fn secure(document: &mut OpenApi, login: Option<String>) {
    let token = SecurityRequirement::new("token", [""; 0]);
    let components = document.components.get_or_insert_default();
    match login {
        Some(url) => {
            let flow = Password::new(url, Scopes::new());
            components
                .add_security_scheme("password", SecurityScheme::OAuth2(OAuth2::new([Flow::Password(flow)])));
        }
        // The anonymous principal, or somebody with a token of another contract.
        None => document.security = Some(vec![SecurityRequirement::default(), token]),
    }
    let text = "The word `Bearer`, a space, and the access token of a login.";
    let header = ApiKey::Header(ApiKeyValue::with_description("Authorization", text));
    components.add_security_scheme("token", SecurityScheme::ApiKey(header));
}

/// A route that answers to PATCH, PUT and POST alike, all three in the document.
fn with_put_and_post<H, T>(
    (schemas, mut paths, methods): UtoipaMethodRouter<App>,
    handler: H,
) -> UtoipaMethodRouter<App>
where
    H: Handler<T, App>,
    T: 'static,
{
    for item in paths.paths.values_mut() {
        let by = |method: &str| {
            item.patch.clone().map(|mut operation| {
                operation.operation_id = operation.operation_id.map(|id| format!("{id}_by_{method}"));
                operation
            })
        };
        (item.put, item.post) = (by("put"), by("post"));
    }
    (schemas, paths, methods.put(handler.clone()).post(handler))
}

/// The OpenAPI document of a façade, as it is served and as it is committed.
///
/// # Errors
/// When the document cannot be written as JSON, which is a bug.
pub fn document(facade: Facade) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string_pretty(&parts(facade).1)?;
    text.push('\n');
    Ok(text)
}

/// All façades below their prefixes, the chosen one at `/` as well, and their documents, that one first.
pub(crate) fn mount(root: Option<Facade>) -> Result<(Router<App>, Vec<docs::Document>), serde_json::Error> {
    let mut router = Router::new();
    let mut documents = Vec::new();
    for facade in Facade::ALL.iter().copied() {
        let (routes, mut document) = parts(facade);
        let is_root = root == Some(facade);
        let prefixes = [Some(facade.prefix()), is_root.then_some("")];
        for prefix in prefixes.into_iter().flatten() {
            for (path, methods) in &routes {
                router = router.route(&format!("{prefix}{path}"), methods.clone());
            }
            router = router.route(&format!("{prefix}/{{*unknown}}"), any(async || not_found()));
            if !prefix.is_empty() {
                router = router.route(prefix, any(async || not_found()));
                router = router.route(&format!("{prefix}/"), any(async || not_found()));
            }
        }
        if is_root {
            document.servers.get_or_insert_default().insert(0, Server::new("/"));
        }
        let text = Bytes::from(serde_json::to_vec(&document)?);
        let document = docs::Document { name: facade.word(), path: facade.document_path(), text };
        documents.insert(if is_root { 0 } else { documents.len() }, document);
    }
    Ok((router, documents))
}

fn not_found() -> Problem {
    Problem::route_not_found().say("Not Found")
}
