//! What the sample shop sells.

use domain::CreateProduct;

/// SKU, name, description, price in cents, opening stock, threshold.
type Line = (&'static str, &'static str, &'static str, i64, i64, i64);

const LINES: [Line; 24] = [
    (
        "KEY-MECH-87",
        "Mechanical keyboard, 87 keys",
        "Hot-swappable switches, aluminium plate.",
        8_990,
        60,
        10,
    ),
    ("KEY-MECH-61", "Mechanical keyboard, 61 keys", "Compact layout, braided cable.", 6_990, 40, 10),
    ("MOU-ERGO-R", "Vertical mouse, right-handed", "Six buttons, 57° angle.", 4_450, 50, 8),
    ("MOU-TRACK", "Trackball", "Thumb-operated, wireless.", 5_990, 30, 6),
    ("MON-27-4K", "Monitor 27″ 4K", "IPS panel, USB-C with 65 W.", 38_900, 14, 4),
    ("MON-24-FHD", "Monitor 24″", "Full HD, height-adjustable.", 14_900, 22, 5),
    ("ARM-MON-1", "Monitor arm", "Gas spring, up to 9 kg.", 7_900, 35, 6),
    ("CAB-USBC-1M", "USB-C cable, 1 m", "100 W, USB 3.2.", 1_290, 220, 40),
    ("CAB-USBC-2M", "USB-C cable, 2 m", "100 W, USB 2.0.", 1_490, 180, 40),
    ("CAB-HDMI-2M", "HDMI cable, 2 m", "Ultra High Speed.", 1_190, 140, 30),
    ("DOCK-USBC-8", "Docking station, 8 ports", "Two HDMI, Ethernet, card reader.", 12_900, 18, 5),
    ("HUB-USBA-4", "USB hub, 4 ports", "Powered, metal housing.", 2_490, 75, 15),
    ("CHG-65W", "Charger 65 W", "GaN, two ports.", 3_490, 90, 20),
    ("CHG-100W", "Charger 100 W", "GaN, four ports.", 5_990, 45, 10),
    ("HEAD-ANC", "Headphones, noise-cancelling", "Over-ear, 38 hours.", 17_900, 25, 6),
    ("HEAD-USB", "Headset, USB", "Single ear, boom microphone.", 4_990, 55, 10),
    ("CAM-1080", "Webcam 1080p", "Autofocus, privacy shutter.", 5_490, 40, 10),
    ("MIC-USB", "Microphone, USB", "Cardioid, with stand.", 7_990, 20, 5),
    ("LAMP-DESK", "Desk lamp", "Dimmable, 2700–6500 K.", 4_290, 33, 8),
    ("MAT-DESK-L", "Desk mat, large", "Felt, 90 × 40 cm.", 2_990, 65, 12),
    ("STAND-LAP", "Laptop stand", "Foldable, aluminium.", 3_290, 58, 10),
    ("SSD-1TB", "SSD 1 TB, external", "USB 3.2, 1,000 MB/s.", 8_490, 28, 8),
    ("SSD-2TB", "SSD 2 TB, external", "USB 3.2, 1,000 MB/s.", 14_490, 12, 4),
    ("KB-LIMITED", "Keyboard “Harbour”, limited edition", "Ends when it is sold out.", 15_900, 9, 2),
];

/// What the supplier no longer makes: a limited edition that leaves the shop when it is sold out, and two products
/// that somebody had better replace.
const DISCONTINUED: [&str; 3] = ["KB-LIMITED", "HEAD-ANC", "DOCK-USBC-8"];

/// One of each kind of thing, for a shop that only wants to have something to sell.
const HANDFUL: [&str; 6] =
    ["KEY-MECH-87", "MOU-ERGO-R", "MON-24-FHD", "CAB-USBC-1M", "HEAD-USB", "KB-LIMITED"];

/// A product, and what becomes of its stock.
pub(super) struct Item {
    /// What adds it.
    pub(super) command: CreateProduct,
    /// Pieces at the opening. What there is much of sells much.
    pub(super) opening: i64,
    /// Whether new ones come in.
    pub(super) is_delivered: bool,
}

/// The sample products.
pub(super) fn items() -> Vec<Item> {
    let item = |&(sku, name, description, price_cents, opening, threshold): &Line| Item {
        command: CreateProduct {
            sku: Some(sku.to_owned()),
            name: name.to_owned(),
            description: description.to_owned(),
            price_cents,
            is_active: true,
            low_stock_threshold: threshold,
            auto_deactivate: sku == "KB-LIMITED",
            opening_stock: opening,
            unique_name: false,
        },
        opening,
        is_delivered: !DISCONTINUED.contains(&sku),
    };
    LINES.iter().map(item).collect()
}

/// What adds a few of the sample products.
pub(super) fn handful() -> impl Iterator<Item = CreateProduct> {
    items().into_iter().map(|item| item.command).filter(is_in_handful)
}

fn is_in_handful(command: &CreateProduct) -> bool {
    command.sku.as_deref().is_some_and(|sku| HANDFUL.contains(&sku))
}
