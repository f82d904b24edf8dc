//! The router against a model that is too simple to be wrong: try every route, keep the best.

use percent_encoding::percent_decode_str;
use sinew_app::{Path, Router, get};

/// xorshift64: the same cases in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % n
    }

    fn path(&mut self, segments: &[&str], max: usize) -> String {
        (0..=self.below(max)).map(|_| format!("/{}", segments[self.below(segments.len())])).collect()
    }
}

/// What a segment of a route is, best first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Literal(String),
    One,
    Rest,
}

fn kinds(route: &str) -> Vec<Kind> {
    let kind = |segment: &str| match segment {
        "{{}}" => Kind::Literal("{}".to_owned()),
        _ if segment.starts_with("{*") => Kind::Rest,
        _ if segment.starts_with('{') => Kind::One,
        _ => Kind::Literal(segment.to_owned()),
    };
    route[1..].split('/').map(kind).collect()
}

/// What the placeholders of a route stand for, not decoded, if it matches.
fn captures(route: &[Kind], path: &str) -> Option<Vec<String>> {
    let segments: Vec<&str> = path[1..].split('/').collect();
    let mut captures = Vec::new();
    for (i, kind) in route.iter().enumerate() {
        let segment = segments.get(i)?;
        match kind {
            Kind::Literal(text) => {
                let decoded: Vec<u8> = percent_decode_str(segment).collect();
                if decoded != text.as_bytes() {
                    return None;
                }
            }
            Kind::One if segment.is_empty() => return None,
            Kind::One => captures.push((*segment).to_owned()),
            Kind::Rest => {
                let rest = segments[i..].join("/");
                if rest.is_empty() {
                    return None;
                }
                captures.push(rest);
                return Some(captures);
            }
        }
    }
    (segments.len() == route.len()).then_some(captures)
}

/// Every route that matches, the best one: kinds compared from left to right.
fn model(routes: &[(String, Vec<Kind>)], path: &str) -> (u16, String) {
    let matches = routes.iter().filter_map(|(route, kinds)| Some((kinds, route, captures(kinds, path)?)));
    let Some((_, route, captures)) = matches.min_by_key(|(kinds, _, _)| *kinds) else {
        return (404, "Not Found".to_owned());
    };
    let mut answer = route.clone();
    for capture in captures {
        let Ok(value) = percent_decode_str(&capture).decode_utf8() else {
            return (400, "Bad Request".to_owned());
        };
        answer = format!("{answer} {value}");
    }
    (200, answer)
}

#[test]
fn the_router_agrees_with_the_model() {
    let mut random = Random(0x5eed_0f51_e301_2345);
    let mut seen = [0; 3];
    for _ in 0..200 {
        let mut app = Router::new();
        let mut routes: Vec<(String, Vec<Kind>)> = Vec::new();
        for _ in 0..random.below(14) {
            let mut route = random.path(&["a", "b", "a", "", "{p}", "{p}", "{{}}"], 5);
            if random.below(4) == 0 {
                route.push_str("/{*r}");
            }
            // Every placeholder a name of its own.
            let mut parts = route.split("{p}");
            let first = parts.next().unwrap_or_default().to_owned();
            let route = parts.enumerate().fold(first, |route, (i, part)| format!("{route}{{p{i}}}{part}"));

            let text = route.clone();
            let handler = get(async move |Path(params): Path<Vec<String>>| {
                params.iter().fold(text, |answer, value| format!("{answer} {value}"))
            });
            let kinds = kinds(&route);
            let known = routes.iter().any(|(_, other)| *other == kinds);
            match app.clone().try_route(&route, handler) {
                Ok(extended) => {
                    assert!(!known, "{route} is there already");
                    app = extended;
                    routes.push((route, kinds));
                }
                Err(error) => assert!(known, "{error}"),
            }
        }
        for _ in 0..30 {
            let path = random.path(&["a", "b", "c", "", "%61", "a%2Fb", "{}", "%7B}", "%FF", "a", "b"], 6);
            let expected = model(&routes, &path);
            assert_eq!(crate::get(&app, &path), expected, "{path} in {routes:?}");
            seen[match expected.0 {
                200 => 0,
                400 => 1,
                _ => 2,
            }] += 1;
        }
    }
    // All three outcomes are really there.
    assert!(seen.iter().all(|&n| n > 100), "{seen:?}");
}
