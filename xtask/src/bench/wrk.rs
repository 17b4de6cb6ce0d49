//! The load generator: scripts for it, and what it answers.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::Failure;
use crate::process::Tool;

pub(super) const WRK: Tool = Tool { program: "wrk", purpose: "it generates the load", packages: &["wrk"] };

/// What is asked of the server again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    /// GET of this path, with the token.
    Get(&'static str),
    /// An order of one piece of the first product.
    OrderOne,
    /// An order of one piece of one of so many products, drawn anew each time.
    OrderSpread(u32),
    /// An order of one piece of the first product, each under its own `Idempotency-Key`.
    OrderWithKey,
}

impl Request {
    /// The Lua script that makes wrk send this. `run` tells the keys of one run from those of another.
    pub(super) fn script(self, token: &str, run: u32) -> String {
        let head = format!(
            "wrk.headers[\"Authorization\"] = \"Bearer {token}\"\n\
             wrk.headers[\"Content-Type\"] = \"application/json\"\n"
        );
        match self {
            // A body-less request carries no Content-Type either.
            Self::Get(path) => {
                format!("wrk.headers[\"Authorization\"] = \"Bearer {token}\"\nwrk.path = \"{path}\"\n")
            }
            Self::OrderOne => {
                format!("{head}wrk.method = \"POST\"\nwrk.path = \"{ORDERS}\"\nwrk.body = '{}'\n", one_of(1))
            }
            Self::OrderSpread(products) => format!(
                "{head}{NUMBER_THREADS}\
                 local ready = {{}}\n\
                 function init(args)\n\
                 \u{20}  math.randomseed({run} * 1000 + number)\n\
                 \u{20}  for product = 1, {products} do\n\
                 \u{20}    ready[product] = wrk.format(\"POST\", \"{ORDERS}\", nil, \
                 '{{\"items\":[{{\"product_id\":' .. product .. ',\"quantity\":1}}]}}')\n\
                 \u{20}  end\n\
                 end\n\
                 function request() return ready[math.random({products})] end\n"
            ),
            // The request is formatted once and split at the key: formatting each would measure wrk.
            Self::OrderWithKey => format!(
                "{head}{NUMBER_THREADS}\
                 wrk.headers[\"Idempotency-Key\"] = \"KEY-GOES-HERE\"\n\
                 local before, after, sent\n\
                 function init(args)\n\
                 \u{20}  local whole = wrk.format(\"POST\", \"{ORDERS}\", nil, '{body}')\n\
                 \u{20}  local from, to = string.find(whole, \"KEY-GOES-HERE\", 1, true)\n\
                 \u{20}  before = string.sub(whole, 1, from - 1) .. \"{run}-\" .. number .. \"-\"\n\
                 \u{20}  after, sent = string.sub(whole, to + 1), 0\n\
                 end\n\
                 function request()\n\
                 \u{20}  sent = sent + 1\n\
                 \u{20}  return before .. sent .. after\n\
                 end\n",
                body = one_of(1)
            ),
        }
    }
}

const ORDERS: &str = "/api/v1/orders";

/// Gives each thread of wrk its `number`, from 1.
const NUMBER_THREADS: &str = "local threads = 0\n\
    function setup(thread) threads = threads + 1; thread:set(\"number\", threads) end\n";

/// The body of an order of one piece.
fn one_of(product: u32) -> String {
    format!("{{\"items\":[{{\"product_id\":{product},\"quantity\":1}}]}}")
}

/// What wrk measured in one run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Load {
    /// Requests answered in the whole run.
    pub(super) requests: f64,
    pub(super) requests_per_second: f64,
    /// Half of the answers took no longer, in milliseconds.
    pub(super) p50_ms: f64,
    /// 99 of 100 answers took no longer, in milliseconds.
    pub(super) p99_ms: f64,
}

/// Puts load on the server: `connections` at once for `seconds`, with the given script. Any answer that is not a
/// success, and any connection that broke, is a failure: a rate of refusals says nothing.
pub(super) fn run(
    address: &str,
    script: &Path,
    connections: u32,
    threads: u32,
    seconds: u64,
) -> Result<Load, Failure> {
    let output = Command::new(WRK.program)
        .args(["--latency", "--timeout", "10s", "-t", &threads.to_string(), "-c", &connections.to_string()])
        .args(["-d", &format!("{seconds}s"), "-s"])
        .arg(script)
        .arg(format!("http://{address}"))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot start wrk: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(format!("wrk failed: {text}{}", String::from_utf8_lossy(&output.stderr)));
    }
    parse(&text)
}

/// Reads what wrk prints with `--latency`.
fn parse(text: &str) -> Result<Load, Failure> {
    let (mut requests, mut rate, mut p50, mut p99) = (None, None, None, None);
    for line in text.lines().map(str::trim) {
        if line.starts_with("Non-2xx or 3xx responses:") || line.starts_with("Socket errors:") {
            return Err(format!("the server did not answer every request with success: {line}"));
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [count, "requests", "in", ..] => requests = count.parse().ok(),
            ["Requests/sec:", value] => rate = value.parse().ok(),
            ["50%", value] => p50 = milliseconds(value),
            ["99%", value] => p99 = milliseconds(value),
            _ => {}
        }
    }
    match (requests, rate, p50, p99) {
        (Some(requests), Some(requests_per_second), Some(p50_ms), Some(p99_ms)) if requests > 0.0 => {
            Ok(Load { requests, requests_per_second, p50_ms, p99_ms })
        }
        _ => Err(format!("wrk measured nothing, or printed it in an unknown form:\n{text}")),
    }
}

/// Reads a duration as wrk prints it: `812.00us`, `1.53ms`, `2.01s`, `1.00m`.
fn milliseconds(text: &str) -> Option<f64> {
    // The longer units come first: "ms" ends in "s".
    const UNITS: [(&str, f64); 4] = [("us", 0.001), ("ms", 1.0), ("s", 1000.0), ("m", 60_000.0)];
    let (unit, factor) = UNITS.into_iter().find(|(unit, _)| text.ends_with(unit))?;
    let number: f64 = text.strip_suffix(unit)?.parse().ok()?;
    Some(number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "\
Running 2s test @ http://127.0.0.1:8000
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   812.12us  401.55us  12.31ms   91.20%
    Req/Sec    78.31k     3.90k   84.11k    70.00%
  Latency Distribution
     50%  760.00us
     75%    0.91ms
     90%    1.14ms
     99%    2.25ms
  155872 requests in 2.00s, 21.11MB read
Requests/sec:  77901.33
Transfer/sec:     10.55MB
";

    #[test]
    fn a_clean_run_is_read() {
        let wanted = Load { requests: 155_872.0, requests_per_second: 77_901.33, p50_ms: 0.76, p99_ms: 2.25 };
        assert_eq!(parse(SAMPLE), Ok(wanted));
    }

    #[test]
    fn every_unit_of_time_becomes_milliseconds() {
        for (text, wanted) in [
            ("812.00us", Some(0.812)),
            ("1.53ms", Some(1.53)),
            ("2.01s", Some(2010.0)),
            ("1.50m", Some(90_000.0)),
        ] {
            let close = match (milliseconds(text), wanted) {
                (Some(got), Some(wanted)) => f64::abs(got - wanted) < 1e-9,
                (got, wanted) => got == wanted,
            };
            assert!(close, "{text}: {:?}", milliseconds(text));
        }
        assert_eq!(milliseconds("fast"), None);
        assert_eq!(milliseconds("ms"), None);
    }

    #[test]
    fn refusals_and_broken_connections_fail_the_run() {
        for line in
            ["  Non-2xx or 3xx responses: 12", "  Socket errors: connect 0, read 3, write 0, timeout 0"]
        {
            let failure = parse(&format!("{SAMPLE}{line}\n")).expect_err(line);
            assert!(failure.contains(line.trim()), "{failure}");
        }
    }

    #[test]
    fn a_run_without_answers_is_a_failure() {
        assert!(parse("unable to connect to 127.0.0.1:1 Connection refused\n").is_err());
        assert!(parse(&SAMPLE.replace("155872 requests", "0 requests")).is_err());
    }

    #[test]
    fn scripts_carry_the_token_and_the_body() {
        let script = Request::OrderOne.script("abc", 7);
        assert!(script.contains("Bearer abc"), "{script}");
        assert!(script.contains(r#"wrk.body = '{"items":[{"product_id":1,"quantity":1}]}'"#), "{script}");
        let script = Request::Get("/healthz").script("abc", 7);
        assert!(script.contains("wrk.path = \"/healthz\"") && !script.contains("Content-Type"), "{script}");
    }
}
