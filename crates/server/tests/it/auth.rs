//! Accounts, tokens and passwords.

use serde_json::json;

use crate::harness::{PASSWORD, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn registers_logs_in_and_tells_who_it_is() {
    let app = TestApp::start().await;
    let stranger = app.stranger();
    let body = json!({"username": "root", "password": PASSWORD});
    let made = stranger.post("/api/v1/auth/register", body).await;
    assert_eq!(made.header("location"), "/api/v1/users/1");
    let user = made.expect(201);
    let root = app.log_in("root").await;
    assert_eq!(root.get("/api/v1/auth/me").await.expect(200), user);
    let john = app.user(&root, "john", "customer").await;
    let users = root.get("/api/v1/users").await.expect(200);
    assert_eq!(users["users"][1], john.get("/api/v1/auth/me").await.expect(200));
}
