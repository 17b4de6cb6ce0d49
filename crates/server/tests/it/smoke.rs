//! The server comes up and goes down.

use server::settings::Settings;

use crate::harness::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn starts_answers_and_stops() {
    let app = TestApp::start().await;
    assert_eq!(app.stranger().get("/healthz").await.expect(200)["status"], "ok");
    app.stranger().get("/api/v1/nowhere").await.problem(404, "ROUTE_NOT_FOUND");
    let app = app.restart(Settings::default()).await;
    app.stranger().get("/healthz").await.expect(200);
    app.stop().await;
}
