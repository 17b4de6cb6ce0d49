//! Words that the façades write or read as text, as their documents list them.

use utoipa::ToSchema;

/// Declares enumerations that exist in documents alone.
macro_rules! words {
    ($($(#[$meta:meta])* $name:ident: $($word:ident)+;)+) => {$(
        #[derive(ToSchema)]
        $(#[$meta])*
        #[expect(dead_code, reason = "only described")]
        pub(super) enum $name {
            $($word),+
        }
    )+};
}

words! {
    /// Where an order stands.
    #[schema(rename_all = "lowercase")]
    LowerStatus: Pending Confirmed Paid Shipped Delivered Cancelled;
    /// Where an order stands.
    TitleStatus: Pending Confirmed Paid Shipped Delivered Cancelled;
    /// Where an order stands.
    #[schema(rename_all = "UPPERCASE")]
    UpperStatus: Pending Confirmed Paid Shipped Delivered Cancelled;
    /// What an account may do.
    #[schema(rename_all = "lowercase", example = "customer")]
    MemberRole: Admin Customer;
}
