//! `Path<T>`: every type it can be, and what it says when it cannot.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use sinew_app::{Path, Router, get};

/// What `Path<T>` makes of a target: the value as its `Debug`, or status and text.
fn extract<T: DeserializeOwned + std::fmt::Debug + Send + 'static>(route: &str, target: &str) -> String {
    let handler = async |Path(value): Path<T>| format!("{value:?}");
    let app: Router = Router::new().route(route, get(handler));
    match crate::get(&app, target) {
        (200, body) => body,
        (status, body) => format!("{status} {body}"),
    }
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "read by Debug")]
struct Revision {
    page: String,
    number: u8,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "read by Debug")]
struct Renamed {
    #[serde(rename = "page-name")]
    page: String,
    number: Option<u8>,
    #[serde(default)]
    other: Option<String>,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "read by Debug")]
struct Id(u64);

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "read by Debug")]
struct Pair(String, u8);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Color {
    Red,
    Green,
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
#[expect(dead_code, reason = "read by Debug")]
struct Even(u32);

impl TryFrom<String> for Even {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        text.parse().ok().filter(|n| n % 2 == 0).map(Self).ok_or("not an even number")
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read by Debug")]
struct Exact {
    a: String,
}

#[test]
fn one_placeholder_as_a_single_value() {
    for (found, expected) in [
        (extract::<String>("/{x}", "/a%20b"), r#""a b""#),
        (extract::<String>("/{*x}", "/a/b"), r#""a/b""#),
        (extract::<Box<str>>("/{x}", "/a"), r#""a""#),
        (extract::<u8>("/{x}", "/255"), "255"),
        (extract::<i8>("/{x}", "/-128"), "-128"),
        (extract::<u16>("/{x}", "/%31%30"), "10"),
        (extract::<i16>("/{x}", "/-1"), "-1"),
        (extract::<u32>("/{x}", "/7"), "7"),
        (extract::<i32>("/{x}", "/7"), "7"),
        (extract::<u64>("/{x}", "/18446744073709551615"), "18446744073709551615"),
        (extract::<i64>("/{x}", "/-9223372036854775808"), "-9223372036854775808"),
        (extract::<u128>("/{x}", "/18446744073709551616"), "18446744073709551616"),
        (extract::<i128>("/{x}", "/-18446744073709551616"), "-18446744073709551616"),
        (extract::<usize>("/{x}", "/7"), "7"),
        (extract::<f32>("/{x}", "/1.5"), "1.5"),
        (extract::<f64>("/{x}", "/-2e3"), "-2000.0"),
        (extract::<bool>("/{x}", "/true"), "true"),
        (extract::<char>("/{x}", "/%C3%BC"), "'ü'"),
        (extract::<Id>("/{x}", "/7"), "Id(7)"),
        (extract::<Option<Id>>("/{x}", "/7"), "Some(Id(7))"),
        (extract::<Option<u8>>("/none", "/none"), "None"),
        (extract::<Color>("/{x}", "/green"), "Green"),
        (extract::<Even>("/{x}", "/8"), "Even(8)"),
        (extract::<(u8,)>("/{x}", "/8"), "(8,)"),
    ] {
        assert_eq!(found, expected);
    }
}

#[test]
fn several_placeholders() {
    let both = "/{page}/{number}";
    for (found, expected) in [
        (extract::<(String, u8)>(both, "/a/1"), r#"("a", 1)"#),
        (extract::<(Color, Option<Id>)>(both, "/red/1"), "(Red, Some(Id(1)))"),
        (extract::<Pair>(both, "/a/1"), r#"Pair("a", 1)"#),
        (extract::<Revision>(both, "/a/1"), r#"Revision { page: "a", number: 1 }"#),
        (
            extract::<Renamed>("/{page-name}/{number}", "/a/1"),
            r#"Renamed { page: "a", number: Some(1), other: None }"#,
        ),
        (extract::<Vec<String>>(both, "/a/1"), r#"["a", "1"]"#),
        (extract::<Vec<(String, String)>>(both, "/a/1"), r#"[("page", "a"), ("number", "1")]"#),
        (extract::<BTreeMap<String, String>>(both, "/a/1"), r#"{"number": "1", "page": "a"}"#),
        (extract::<HashMap<String, u8>>("/{n}", "/1"), r#"{"n": 1}"#),
        (
            extract::<serde_json::Value>(both, "/a/1"),
            r#"Object {"number": String("1"), "page": String("a")}"#,
        ),
        (extract::<()>(both, "/a/1"), "()"),
        (extract::<()>("/", "/"), "()"),
        (extract::<HashMap<String, String>>("/", "/"), "{}"),
    ] {
        assert_eq!(found, expected);
    }
}

#[test]
fn a_value_of_the_wrong_form_is_the_clients_fault() {
    let both = "/{page}/{number}";
    for (found, expected) in [
        (extract::<u8>("/{x}", "/256"), "`x` is not valid: expected a whole number from 0 to 255"),
        (extract::<i8>("/{x}", "/a"), "`x` is not valid: expected a whole number from -128 to 127"),
        (extract::<f64>("/{x}", "/a"), "`x` is not valid: expected a number"),
        (extract::<bool>("/{x}", "/yes"), "`x` is not valid: expected `true` or `false`"),
        (extract::<char>("/{x}", "/ab"), "`x` is not valid: expected a single character"),
        (
            extract::<Color>("/{x}", "/blue"),
            "`x` is not valid: unknown variant `blue`, expected `red` or `green`",
        ),
        (extract::<Even>("/{x}", "/7"), "(the path) not an even number"),
        (
            extract::<(String, u8)>(both, "/a/b"),
            "`number` is not valid: expected a whole number from 0 to 255",
        ),
        (extract::<Revision>(both, "/a/b"), "`number` is not valid: expected a whole number from 0 to 255"),
    ] {
        let expected = match expected.strip_prefix("(the path) ") {
            Some(reason) => format!("400 the path is not valid: {reason}"),
            None => format!("400 the path parameter {expected}"),
        };
        assert_eq!(found, expected);
    }
}

#[test]
fn a_handler_that_does_not_fit_its_route_is_the_programs_fault() {
    let both = "/{page}/{number}";
    for (found, expected) in [
        (extract::<u8>(both, "/1/2"), "the number of placeholders is 2, and 1 are asked for"),
        (extract::<u8>("/", "/"), "the number of placeholders is 0, and 1 are asked for"),
        (extract::<(u8, u8)>("/{x}", "/1"), "the number of placeholders is 1, and 2 are asked for"),
        (extract::<Color>(both, "/red/2"), "the number of placeholders is 2, and 1 are asked for"),
        (extract::<Revision>("/{page}", "/a"), "the route has no placeholder `number`"),
        (extract::<Exact>("/{a}/{b}", "/1/2"), "the handler does not know the placeholder `b`"),
        (extract::<Vec<Vec<u8>>>("/{x}", "/1"), "the placeholder `x` is read as a sequence"),
        (extract::<Vec<(u8, u8, u8)>>("/{x}", "/1"), "the placeholder `x` is read as a tuple"),
        (extract::<Vec<Exact>>("/{x}", "/1"), "the placeholder `x` is read as a struct"),
        (extract::<Vec<HashMap<u8, u8>>>("/{x}", "/1"), "the placeholder `x` is read as a map"),
    ] {
        assert_eq!(found, format!("500 the handler does not fit its route: {expected}"));
    }
}
