"""What Schemathesis has to know about Stockroom: which failures are none, and which accounts it may not touch.

A failure is passed over only if one of the exclusions below says so, each for a reason. They look at the very answer:
what is refused for any other reason is still found. How often each was used is appended to the file that
STOCKROOM_EXCLUDED names, and printed at the end of the run; one that was never used can go.
"""

import itertools
import json
import os
import re

import schemathesis

REJECTED, ACCEPTED = "ST202", "ST201"


def whole_float(value):
    """Whether there is a number like 7.0 in it, which JSON Schema calls an integer."""
    if isinstance(value, dict):
        return any(whole_float(member) for member in value.values())
    if isinstance(value, list):
        return any(whole_float(item) for item in value)
    return isinstance(value, float) and value.is_integer()


def fine_price(body):
    """Whether there is a price with more digits than those of most currencies."""
    prices = [body.get(name) for name in ("price", "stock_price")] if isinstance(body, dict) else []
    return any(isinstance(price, float) and price != round(price, 2) for price in prices)


def no_tag(case):
    """Whether the document itself refuses the If-Match that was sent: the phase of examples makes up a `0`."""
    header = (case.headers or {}).get("If-Match", "")
    return re.fullmatch(r'\*|"[!#-~]*"', str(header)) is None


# The ids of what was deleted in this run.
DELETED = set()


def ids(case):
    return {str(value) for value in (case.path_parameters or {}).values()}


@schemathesis.hook
def after_call(context, case, response):
    if case.method.upper() == "DELETE" and 200 <= response.status_code < 300:
        DELETED.update(ids(case))


# name, failure, status, what each complaint of the answer must look like, what must be true of the case, and why.
EXCLUSIONS = [
    ("whole-floats", REJECTED, {400, 422}, r"must be an integer|int_from_float .*", lambda case: whole_float(case.body),
     "7.0 is refused where an integer is wanted, although JSON Schema calls it one (API-DESIGN.md, known quirks)"),
    ("together", REJECTED, {400}, r"cannot be combined with .*|must go together with .*|must not be after .*", None,
     "parameters that exclude, need or bound each other, which OpenAPI cannot say of a query"),
    ("cursors", REJECTED, {400}, r"is not a cursor of this API; .*|belongs to a list in another order; .*", None,
     "a cursor is what an answer said: of what may be in it the document can give the letters alone"),
    ("common-passwords", REJECTED, {400, 422},
     r"is one of the passwords that are tried first; choose another|value_error Password should not be a common one", None,
     "a list of thousands of passwords is in no document"),
    ("no-tag", REJECTED, {400}, r'must be \* or a list of quoted tags like "7"', no_tag,
     "the phase of examples sends a header that the pattern of the document refuses, too"),
    ("versions", REJECTED, {412}, r"It has changed since you read it; .*", None,
     "If-Match must name the version that is there, which depends on what happened before"),
    ("reused-keys", REJECTED, {422}, r"This Idempotency-Key belongs to a different request\.", None,
     "a key that another request has used, which depends on what happened before"),
    ("more-digits", REJECTED, {422}, r"decimal_max_places .*|decimal_parsing .*", lambda case: fine_price(case.body),
     "how many digits a price may have depends on the shop's currency, which is a setting"),
    ("reserved-skus", REJECTED, {400}, r"must not have the form SKU-<number>, .*", None,
     "such SKUs are made from ids, and only the product that has one may be given it (API-DESIGN.md, known quirks)"),
    ("nul", REJECTED, {400, 422}, r"(value_error Value error, )?must not contain the NUL character",
     lambda case: "\\u0000" in json.dumps(case.body, default=str),
     "no text has a NUL, not even in a field that is passed over; a document can say that of known fields alone"),
    ("state-of-the-shop", REJECTED, {400},
     r"Stock is inactive|Inactive product|Product -?\d+ is not active|Insufficient stock( for one or more products)?"
     r"|Insufficient Stock!|Product -?\d+ not exist|Order with -?\d+ not found|Product already exist"
     r"|Username already exists|Order already (confirmed|cancelled)|Cancelled order cannot be confirmed"
     r"|Order cannot be cancelled|Orders cancelled already!|Only Orders with status can be confirmed"
     r"|Order is too large", None,
     "the older contracts say 400 where the state of the shop forbids what was asked, and where there is no such thing"),
    ("room-for-stock", REJECTED, {400, 422},
     r"(value_error Value error, )?(must be between \d+ and \d+|is too large: nothing more fits)", None,
     "how much stock fits depends on how much there is, and on what open orders hold"),
    ("deleted", "ST302", {404}, r"Product ID Doesn't Exist!|Product \d+ does not exist\.", lambda case: ids(case) & DELETED,
     "another case of the same scenario has deleted it, and was told so: the check looks at the paths of one route alone"),
    ("any-case", ACCEPTED, {200}, r".*Orders fetched successfully.*",
     lambda case: str((case.query or {}).get("status")).lower()
     in {"pending", "confirmed", "paid", "shipped", "delivered", "cancelled"},
     "statuses are taken in any case; the document lists one spelling of each"),
]


def complaints(text):
    """What an answer complains about, one by one."""
    try:
        document = json.loads(text)
    except ValueError:
        return [text]
    if not isinstance(document, dict):
        return [text]
    if document.get("errors"):
        return [error["message"] for error in document["errors"]]
    detail = document.get("detail", text)
    if isinstance(detail, list):
        return [f"{flaw['type']} {flaw['msg']}" for flaw in detail]
    if isinstance(detail, dict):
        return [str(detail.get("message"))]
    return [str(detail)]


def fits(exclusion, failure, case, response):
    _, code, statuses, _, condition, _ = exclusion
    return failure.code == code and response.status_code in statuses and (condition is None or condition(case))


def excluding(failure, case, response):
    """The exclusions that together explain the whole answer; none when something of it stays unexplained."""
    candidates = [it for it in EXCLUSIONS if fits(it, failure, case, response)]
    used = []
    for complaint in complaints(response.text):
        found = next((it for it in candidates if re.fullmatch(it[3], complaint, re.DOTALL)), None)
        if found is None:
            return []
        used.append(found)
    return used


@schemathesis.hook
def filter_failure(context, failure, case, response):
    used = excluding(failure, case, response)
    note = os.environ.get("STOCKROOM_EXCLUDED")
    if used and note:
        with open(note, "a", encoding="utf-8") as out:
            out.writelines(f"{name}\t{reason}\n" for name, *_, reason in used)
    return not used


# Which accounts and keys the callers of this run are: `user_id=9,10 api_key_id=1`. Whoever changes or deletes them
# would make a stranger of the caller for the rest of the run.
KEPT = {
    name: set(ids.split(","))
    for name, _, ids in (part.partition("=") for part in os.environ.get("STOCKROOM_KEPT", "").split())
}


NUMBERS = itertools.count()


@schemathesis.hook
def before_call(context, case, kwargs):
    key = (case.headers or {}).get("Idempotency-Key")
    # Good cases tend to have one and the same key. They would be told so, or be answered again what was true when the first
    # of them was, of a product that is gone by now.
    if isinstance(key, str) and case.meta and case.meta.generation.mode.is_positive:
        case.headers["Idempotency-Key"] = f"{key[:200]}-{os.getpid()}-{next(NUMBERS)}"
    for name, ids in KEPT.items():
        if case.path_parameters and str(case.path_parameters.get(name)) in ids:
            case.path_parameters[name] = 1_000_000_000
