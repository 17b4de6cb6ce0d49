//! Documents that promise what the server does not keep. Each must be found out in a short run, and the true document must
//! pass the same run.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use super::shop::Shop;
use super::tool::{Request, Schemathesis};
use crate::Failure;

/// Long enough for a run of one operation on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

/// A document made wrong.
struct Lie {
    name: &'static str,
    document: &'static str,
    operation: &'static str,
    /// What is taken out, as a JSON pointer.
    pointer: &'static str,
    /// What Schemathesis calls it.
    found: &'static str,
}

const LIES: [Lie; 4] = [
    Lie {
        name: "a bound left out",
        document: "/openapi.json",
        operation: "create_product",
        pointer: "/components/schemas/PriceCents/maximum",
        found: "ST202",
    },
    Lie {
        name: "a status left out",
        document: "/openapi.json",
        operation: "get_product",
        pointer: "/paths/~1api~1v1~1products~1{product_id}/get/responses/404",
        found: "ST103",
    },
    Lie {
        name: "a bound of a façade left out",
        document: "/compat/orderflow/openapi.json",
        operation: "create_stock",
        pointer: "/components/schemas/NewStock/properties/stock_quantity/maximum",
        found: "ST202",
    },
    Lie {
        name: "a status of a façade left out",
        document: "/compat/inventory/openapi.json",
        operation: "get_product",
        pointer: "/paths/~1products~1{product_id}/get/responses/404",
        found: "ST103",
    },
];

/// Fails with the name of the first lie that is not found out.
pub(super) fn perform(tool: &Schemathesis, shop: &Shop) -> Result<(), Failure> {
    for lie in &LIES {
        let answer = shop.document(lie.document)?;
        for (is_true, wanted) in [(true, None), (false, Some(lie.found))] {
            let mut document = answer.clone();
            if !is_true {
                leave_out(&mut document, lie.pointer)
                    .ok_or_else(|| format!("{}: nothing there", lie.name))?;
            }
            let codes = codes(&ask(tool, shop, lie, &document)?);
            if codes.first().map(String::as_str) != wanted {
                return Err(format!("{}: found {codes:?}, not {wanted:?}", lie.name));
            }
        }
        println!("xtask: control: {} is found ({})", lie.name, lie.found);
    }
    Ok(())
}

/// Asks for one operation, as an administrator.
fn ask(tool: &Schemathesis, shop: &Shop, lie: &Lie, document: &Value) -> Result<Value, Failure> {
    let file = tool.file("wrong.json");
    fs::write(&file, document.to_string()).map_err(|error| format!("no {}: {error}", file.display()))?;
    let prefix = lie.document.strip_suffix("/openapi.json").unwrap_or_default();
    tool.run(&Request {
        document: &file.to_string_lossy(),
        name: "control",
        server: Some(&shop.url(prefix)),
        caller: shop.callers.iter().find(|caller| caller.name == "admin"),
        kept: &shop.kept(),
        operations: &[lie.operation],
        examples: 20,
        seed: "1",
        limit: LIMIT,
    })
}

/// The codes of what was found.
fn codes(report: &Value) -> Vec<String> {
    let failures = report["failures"].as_array().into_iter().flatten();
    failures.filter_map(|failure| failure["code"].as_str().map(str::to_owned)).collect()
}

/// Takes the member that a pointer names out of its object.
fn leave_out(document: &mut Value, pointer: &str) -> Option<Value> {
    let (parent, name) = pointer.rsplit_once('/')?;
    document.pointer_mut(parent)?.as_object_mut()?.remove(&name.replace("~1", "/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lie_leaves_out_what_is_there() {
        for lie in &LIES {
            let name = match lie.document.split('/').nth(2) {
                Some(facade) => format!("openapi/{facade}.json"),
                None => "openapi.json".to_owned(),
            };
            let text = fs::read_to_string(crate::root().join(&name)).expect("a document");
            let mut document: Value = serde_json::from_str(&text).expect("JSON");
            assert!(text.contains(&format!("\"{}\"", lie.operation)), "{}", lie.name);
            assert!(leave_out(&mut document, lie.pointer).is_some(), "{}", lie.name);
            assert!(leave_out(&mut document, lie.pointer).is_none(), "{}", lie.name);
        }
    }
}
