//! Lists of a catalogue that is large enough for each way of reading it, against a naive computation.

use crate::random_shop::Random;
use crate::shop::{Batch, Shop, new_product};
use domain::{CreateProduct, DeleteProduct, OrderLine, PlaceOrder, ProductId, ToggleProduct};
use store::{Page, ProductQuery, ProductSort, ProductView, SortValue, Start};

const PRODUCTS: i64 = 3_000;
const SORTS: [ProductSort; 6] = [
    ProductSort::Id,
    ProductSort::Name,
    ProductSort::Sku,
    ProductSort::Price,
    ProductSort::Available,
    ProductSort::CreatedAt,
];
/// From words that most names have to one that nobody has, in letters that fold.
const TEXTS: [&str; 18] = [
    "wid",
    "WIDGET",
    "widgét b",
    "bleu",
    "zoë",
    "ZOE M",
    "rare",
    "rare widget",
    "none",
    "x-00",
    "x-001",
    "get",
    "qz",
    "99",
    "e",
    "ë",
    "%",
    "t b",
];

async fn catalogue() -> (Shop, Vec<ProductView>) {
    let shop = Shop::new().await;
    let mut random = Random::new(0xca7a);
    for first in (0..PRODUCTS).step_by(500) {
        let mut batch = Batch::default();
        for index in first..first + 500 {
            let what = random.pick(&["Widget", "Wídget", "WIDGET", "Gadget"]);
            let colour = random.pick(&["blue", "bleu", "Zoë Möbel", "red", "", ""]);
            let rare = if random.chance(1) { " rare" } else { "" };
            let created = CreateProduct {
                name: format!("{what} {colour}{rare}"),
                price_cents: random.below(12) * 50,
                is_active: random.chance(96),
                low_stock_threshold: random.below(6),
                ..new_product(&format!("X-{index:04}"), random.below(60))
            };
            let mut context = shop.context();
            context.now_us = 1_000 + random.below(700);
            batch.add(context, created);
        }
        shop.decide(batch).await;
    }
    // What was ordered is archived when it is deleted.
    let mut batch = Batch::default();
    for _ in 0..12 {
        let line = |_| OrderLine { product_id: ProductId(1 + random.below(PRODUCTS)), quantity: 1 };
        let lines: Vec<_> = (0..40).map(line).collect();
        for line in lines {
            let order = PlaceOrder { lines: vec![line], ..crate::shop::new_order(None, &[]) };
            batch.add(shop.context(), order);
            let product_id = line.product_id;
            if random.chance(70) {
                batch.add(shop.context(), DeleteProduct { product_id, if_version: None });
            } else if random.chance(10) {
                batch.add(shop.context(), ToggleProduct { product_id, if_version: None });
            }
        }
    }
    shop.decide(batch).await;
    shop.assert_sound().await;
    let mut truth = Vec::new();
    for id in 1..=PRODUCTS {
        truth.extend(shop.store.product(ProductId(id)).await.unwrap());
    }
    (shop, truth)
}

fn naive_fold(text: &str) -> String {
    text.to_lowercase().replace(['ë', 'é'], "e").replace('í', "i").replace('ö', "o")
}

fn matches(query: &ProductQuery, row: &ProductView) -> bool {
    let product = &row.product;
    let found = |text: &String| {
        [&product.name, &product.sku].into_iter().any(|name| naive_fold(name).contains(&naive_fold(text)))
    };
    let low = row.level.available() <= product.low_stock_threshold;
    product.archived_at_us.is_some() == query.archived
        && query.active.is_none_or(|active| product.is_active == active)
        && query.low_stock.is_none_or(|wanted| low == wanted)
        && query.text.as_ref().is_none_or(found)
}

/// What a row is sorted by, as numbers and texts that compare alike.
fn key(sort: ProductSort, row: &ProductView) -> (i64, String, i64) {
    let product = &row.product;
    let (number, text) = match sort {
        ProductSort::Id => (0, ""),
        ProductSort::Name => (0, product.name.as_str()),
        ProductSort::Sku => (0, product.sku.as_str()),
        ProductSort::Price => (product.price_cents, ""),
        ProductSort::Available => (row.level.available(), ""),
        ProductSort::CreatedAt => (product.created_at_us, ""),
    };
    (number, text.to_owned(), product.id.0)
}

fn start_after(sort: ProductSort, row: &ProductView) -> Start {
    let (number, text, id) = key(sort, row);
    let value = match sort {
        ProductSort::Id => SortValue::Int(id),
        ProductSort::Name | ProductSort::Sku => SortValue::Text(text),
        _ => SortValue::Int(number),
    };
    Start::After { value, id }
}

/// All pages by cursor or a few by offset, as the random numbers will have it.
async fn check(shop: &Shop, truth: &[ProductView], query: ProductQuery, random: &mut Random) {
    let mut expected: Vec<_> = truth.iter().filter(|row| matches(&query, row)).cloned().collect();
    expected.sort_by_key(|row| key(query.sort, row));
    if query.descending {
        expected.reverse();
    }
    let all = i64::try_from(expected.len()).unwrap();
    let limit = query.page.limit;
    let mut at = 0;
    for _ in 0..3 {
        // Behind any row, or after so many of them.
        let start = match expected.get(usize::try_from(at).unwrap()) {
            Some(row) if at > 0 && random.chance(60) => {
                at += 1;
                start_after(query.sort, row)
            }
            _ => Start::Offset(at),
        };
        let query = ProductQuery { page: Page { limit, start }, ..query.clone() };
        let from = usize::try_from(at).unwrap();
        let wanted: Vec<_> = expected.iter().skip(from).take(limit.try_into().unwrap()).collect();
        let found = shop.store.counted_products(&query).await.unwrap();
        assert!(found.listing.rows.iter().eq(wanted), "{query:?}");
        assert_eq!(found.total, all, "{query:?}");
        assert_eq!(found.listing.more, at + i64::from(limit) < all, "{query:?}");
        at = random.below(all + 2);
    }
}

#[tokio::test]
async fn each_list_is_what_a_naive_computation_says() {
    let (shop, truth) = catalogue().await;
    let mut random = Random::new(0x11575);
    for sort in SORTS {
        for round in 0..40 {
            let flag = |random: &mut Random| random.pick(&[None, None, None, Some(false), Some(true)]);
            let text = random.pick(&TEXTS);
            let query = ProductQuery {
                text: (round % 4 > 0).then(|| text.to_owned()),
                active: flag(&mut random),
                low_stock: flag(&mut random),
                archived: random.chance(25),
                sort,
                descending: random.chance(50),
                page: Page { limit: random.pick(&[1, 5, 50]), start: Start::Offset(0) },
            };
            check(&shop, &truth, query, &mut random).await;
        }
    }
}
