use domain::{
    Actor, Command, Context, CreateProduct, Decision, Keys, ProductId, ProductWithStock, Rejection, Snapshot,
};
use store::IdempotencyKey;
use store::driver::{Database, Options};
use tempfile::TempDir;

use super::super::{Answered, App, Failure, Keyed};
use super::*;
use crate::auth::secret::Secret;
use crate::http::problem::Problem;
use crate::http::reply::Reply;

/// Adds a product with one piece, or runs into a fault of ours on the way.
struct Faulty {
    fault: Option<Fault>,
    product: CreateProduct,
}

/// Where the fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Keys,
    Decide,
    Render,
}

fn command(fault: Option<Fault>) -> Faulty {
    let product = CreateProduct {
        sku: None,
        name: "Tea".to_owned(),
        description: String::new(),
        price_cents: 100,
        is_active: true,
        low_stock_threshold: 0,
        auto_deactivate: false,
        opening_stock: 1,
        unique_name: false,
    };
    Faulty { fault, product }
}

impl Faulty {
    fn stumble(&self, at: Fault) {
        assert!(self.fault != Some(at), "on purpose: {at:?}");
    }
}

impl Command for Faulty {
    type Outcome = ProductWithStock;

    fn word(&self) -> &'static str {
        self.product.word()
    }

    fn keys(&self, context: &Context) -> Keys {
        self.stumble(Fault::Keys);
        self.product.keys(context)
    }

    fn decide(
        &self,
        snapshot: &Snapshot,
        context: &Context,
    ) -> Result<Decision<ProductWithStock>, Rejection> {
        self.stumble(Fault::Decide);
        self.product.decide(snapshot, context)
    }
}

/// Carries the command out under a key; gives the status of its answer, and whether that was a repetition.
async fn execute(app: &App, key: &str, fault: Option<Fault>) -> Result<(u16, bool), Failure> {
    let context = Context { actor: Actor::SYSTEM, now_us: 1, request_id: "r".into(), source: None };
    let render = Box::new(move |outcome: Result<&ProductWithStock, &Rejection>| {
        assert!(fault != Some(Fault::Render), "on purpose");
        outcome.map_or_else(|_| Reply::no_content(), |_| Reply::ok(&1))
    });
    let (key, fingerprint) = (key.to_owned(), "f".to_owned());
    let key = IdempotencyKey { principal: 0, key, fingerprint, earliest_us: 1, latest_us: 1 };
    match app.execute(command(fault), context, Some(Keyed { key, render })).await? {
        Answered::Kept { reply, replayed, .. } => Ok((store::KeptAnswer::from(reply).status, replayed)),
        Answered::Decided(_) => panic!("keyed, but not kept"),
    }
}

async fn app(settings: Settings) -> (TempDir, App, Committer) {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", directory.path().join("test.sqlite").display());
    let database = Database::open(&url, Options::default()).await.unwrap();
    database.migrate(0).await.unwrap();
    let secret = Secret::load_or_create(directory.path()).unwrap();
    let (app, committer) = App::start(Store::new(database), &secret, settings, Metrics::new()).unwrap();
    (directory, app, committer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_ends_its_batch_and_nothing_else() {
    // One command a batch, so that nobody shares the fate of the faulty ones.
    let (_directory, app, committer) = app(Settings { max_batch: 1, ..Settings::default() }).await;
    for (round, fault) in [Fault::Keys, Fault::Decide, Fault::Render].into_iter().enumerate() {
        let (key, beside, behind) =
            (format!("{round}"), format!("{round} beside"), format!("{round} behind"));
        let (faulty, innocent, other) = tokio::join!(
            execute(&app, &key, Some(fault)),
            execute(&app, &beside, None),
            execute(&app, &behind, None),
        );
        let failure = faulty.unwrap_err();
        assert!(matches!(failure, Failure::Dropped), "{failure:?}");
        assert_eq!(Problem::from(failure).status(), 500);
        assert_eq!((innocent.unwrap(), other.unwrap()), ((200, false), (200, false)));
        app.check_ready().await.unwrap();
        // Rolled back, and its key is free: neither in flight nor kept.
        assert!(app.0.in_flight.claim(0, &key).is_some());
        assert_eq!(execute(&app, &key, None).await.unwrap(), (200, false));
        assert_eq!(execute(&app, &key, None).await.unwrap(), (200, true));
        let products = i64::try_from(3 * (round + 1)).unwrap();
        assert!(app.reads().product(ProductId(products)).await.unwrap().is_some());
        assert!(app.reads().product(ProductId(products + 1)).await.unwrap().is_none());
    }
    let report = app.reads().verify().await.unwrap();
    assert!(report.discrepancies.is_empty(), "{report:?}");
    drop(app);
    tokio::task::spawn_blocking(|| committer.join()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_shares_a_batch_with_a_fault_may_try_again() {
    let (directory, app, _committer) = app(Settings::default()).await;
    let url = format!("sqlite:{}", directory.path().join("test.sqlite").display());
    let other = Database::open(&url, Options::default()).await.unwrap();
    // While another server writes, the first command waits with its batch, and the next ones join it.
    let stall = other.begin().await.unwrap();
    let release = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        stall.rollback().await.unwrap();
    };
    let behind = async |key: &'static str, fault| {
        tokio::time::sleep(Duration::from_millis(100)).await;
        execute(&app, key, fault).await
    };
    let (first, before, faulty, after, ()) = tokio::join!(
        execute(&app, "first", None),
        behind("before", None),
        behind("faulty", Some(Fault::Decide)),
        behind("after", None),
        release,
    );
    for failed in [first, before, faulty, after] {
        assert!(matches!(failed, Err(Failure::Dropped)), "{failed:?}");
    }
    for key in ["first", "before", "faulty", "after"] {
        assert_eq!(execute(&app, key, None).await.unwrap(), (200, false));
    }
    assert!(app.reads().product(ProductId(5)).await.unwrap().is_none());
}
