//! Keys of machines in the database: found by their digest, dead at once when revoked, on every server.

use domain::{
    Actor, ApiKeyId, CreateApiKey, CreateUser, NoteApiKeyUse, RevokeApiKey, Role, UpdateUser, User,
};
use store::driver::{Database, Options};
use store::{Page, Start, Store};

use crate::audit::new_key;
use crate::shop::{Batch, Shop, actor, new_user};

async fn boss(shop: &Shop, name: &str) -> User {
    shop.run(CreateUser { role: Some(Role::Admin), ..new_user(name) }).await.unwrap()
}

fn key(name: &str, digest: &str) -> CreateApiKey {
    CreateApiKey { name: name.to_owned(), digest: digest.repeat(32), ..new_key() }
}

fn demoted(user: &User) -> UpdateUser {
    let role = Some(Role::Staff);
    UpdateUser { user_id: user.id, if_version: None, email: None, full_name: None, role, is_active: None }
}

#[tokio::test]
async fn a_key_is_found_by_its_digest_on_every_server() {
    let shop = Shop::new().await;
    let (root, other) = (boss(&shop, "root").await, boss(&shop, "other").await);
    for (digest, maker) in [("0a", &root), ("0b", &root), ("0c", &other)] {
        shop.run_as(actor(maker), key(digest, digest)).await.unwrap();
    }
    let beside = Store::new(Database::open(shop.place.url(), Options::default()).await.unwrap());
    let find = async |digest: &str| beside.key_session(&digest.repeat(32)).await.unwrap();
    let found = find("0b").await.unwrap();
    assert_eq!((found.key.id, found.key.maker_id, found.maker_role), (ApiKeyId(2), root.id, Role::Admin));
    assert_eq!(
        (found.key.scopes, found.key.name.as_str()),
        (key("", "").scopes.into_iter().rev().collect(), "0b")
    );
    for nobodys in ["0d", "", "é"] {
        assert_eq!(find(nobodys).await, None);
    }
    // The same beginning is not the same digest.
    let lookalike = format!("{}{}", "0b".repeat(31), "0c");
    assert_eq!(beside.key_session(&lookalike).await.unwrap(), None);
    shop.run_as(actor(&root), RevokeApiKey { id: ApiKeyId(2) }).await.unwrap();
    assert!(find("0b").await.unwrap().key.revoked_at_us.is_some());
    assert!(find("0a").await.unwrap().key.revoked_at_us.is_none());
    shop.run(NoteApiKeyUse { id: ApiKeyId(1), at_us: 99 }).await.unwrap();
    assert_eq!(find("0a").await.unwrap().key.last_used_at_us, Some(99));
    let page = Page { limit: 2, start: Start::Offset(0) };
    let listed = beside.api_keys(&page).await.unwrap();
    let ids: Vec<_> = listed.rows.iter().map(|key| key.id.0).collect();
    assert_eq!((ids, listed.more), (vec![3, 2], true));
}

#[tokio::test]
async fn keys_die_with_the_rights_of_their_maker_in_the_same_batch_too() {
    let shop = Shop::new().await;
    let (root, other) = (boss(&shop, "root").await, boss(&shop, "other").await);
    shop.run_as(actor(&root), key("early", "0a")).await.unwrap();
    shop.run_as(actor(&other), key("others", "0c")).await.unwrap();
    let mut batch = Batch::default();
    let late = batch.add(shop.context_of(actor(&root)), key("late", "0b"));
    let end = batch.add(shop.context_of(Actor::SYSTEM), demoted(&root));
    shop.decide(batch).await;
    let (late, _) = (late.get().unwrap(), end.get().unwrap());
    assert_eq!(late.revoked_at_us, None, "as it was answered");
    let is_dead = async |digest: &str| {
        let found = shop.store.key_session(&digest.repeat(32)).await.unwrap().unwrap();
        found.key.revoked_at_us.is_some()
    };
    assert!(is_dead("0a").await && is_dead("0b").await && !is_dead("0c").await);
    shop.assert_sound().await;
}
