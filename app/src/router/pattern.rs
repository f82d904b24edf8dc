//! The path of a route, parsed: `/users/{id}/files/{*path}`.

use std::sync::Arc;

use percent_encoding::percent_decode_str;

use super::RouteProblem;
use crate::params::Params;

/// What stands between two slashes of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// Text that the decoded segment equals.
    Literal(String),
    /// `{name}`: any segment that is not empty.
    One(Arc<str>),
    /// `{*name}`: the rest of the path, slashes and all, but at least a byte.
    Rest(Arc<str>),
}

/// The segments of a route: never none, a [`Segment::Rest`] only at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Segment>);

impl Pattern {
    pub(super) fn parse(path: &str) -> Result<Self, RouteProblem> {
        let Some(path) = path.strip_prefix('/') else { return Err(RouteProblem::NoLeadingSlash) };
        if path.contains('?') {
            return Err(RouteProblem::Query);
        }
        let segments = path.split('/').map(Segment::parse).collect::<Result<Vec<_>, _>>()?;
        for (i, segment) in segments.iter().enumerate() {
            let Some(name) = segment.name() else { continue };
            if segments[..i].iter().any(|earlier| earlier.name() == Some(name)) {
                return Err(RouteProblem::DuplicateName(name.to_string()));
            }
            if matches!(segment, Segment::Rest(_)) && i + 1 < segments.len() {
                return Err(RouteProblem::WildcardNotLast(name.to_string()));
            }
        }
        Ok(Self(segments))
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// The one path that matches, if there is but one.
    pub(super) fn literal(&self) -> Option<String> {
        let mut path = String::new();
        for segment in &self.0 {
            let Segment::Literal(text) = segment else { return None };
            path.push('/');
            path.push_str(text);
        }
        Some(path)
    }

    /// Where the placeholders are.
    pub(super) fn placeholders(&self) -> Placeholders {
        let named = self.0.iter().enumerate().filter_map(|(index, segment)| {
            let rest = matches!(segment, Segment::Rest(_));
            Some(Placeholder { index, name: segment.name()?.clone(), rest })
        });
        Placeholders(named.collect())
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self, RouteProblem> {
        let problem = |kind: fn(String) -> RouteProblem| Err(kind(text.to_owned()));
        match text.as_bytes() {
            [b':', _, ..] => return problem(RouteProblem::OldPlaceholder),
            [b'*', ..] => return problem(RouteProblem::OldWildcard),
            _ if has_triplet(text) => return problem(RouteProblem::Encoded),
            _ => {}
        }
        let mut literal = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            literal.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                literal.push_str(brace);
                rest = after;
            } else if brace == "}" {
                return problem(RouteProblem::UnopenedBrace);
            } else {
                let Some((name, after)) = rest.split_once('}') else {
                    return problem(RouteProblem::UnclosedBrace);
                };
                if !literal.is_empty() || !after.is_empty() {
                    return problem(RouteProblem::NotWholeSegment);
                }
                return Self::placeholder(name);
            }
        }
        literal.push_str(rest);
        Ok(Self::Literal(literal))
    }

    /// From what stands between the braces.
    fn placeholder(inner: &str) -> Result<Self, RouteProblem> {
        let (name, kind): (_, fn(Arc<str>) -> Self) = match inner.strip_prefix('*') {
            Some(name) => (name, Self::Rest),
            None => (inner, Self::One),
        };
        if name.is_empty() {
            Err(RouteProblem::EmptyName)
        } else if name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-') {
            Ok(kind(name.into()))
        } else {
            Err(RouteProblem::InvalidName(name.to_owned()))
        }
    }

    fn name(&self) -> Option<&Arc<str>> {
        match self {
            Self::Literal(_) => None,
            Self::One(name) | Self::Rest(name) => Some(name),
        }
    }
}

/// Whether there is a `%` with two hexadecimal digits.
fn has_triplet(text: &str) -> bool {
    text.as_bytes().windows(3).any(|w| w[0] == b'%' && w[1].is_ascii_hexdigit() && w[2].is_ascii_hexdigit())
}

/// The placeholders of a route, first to last. They belong to the route and not to the tree, so
/// that two routes may name the same segment differently.
#[derive(Clone, Debug)]
pub(super) struct Placeholders(Arc<[Placeholder]>);

#[derive(Debug)]
struct Placeholder {
    /// Of the segment.
    index: usize,
    name: Arc<str>,
    rest: bool,
}

/// A segment that is not UTF-8 once it is decoded.
#[derive(Debug)]
pub(super) struct NotUtf8;

impl Placeholders {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets `params` to what they stand for in a path that matches the route. A router that this one is
    /// behind may have left its own there.
    pub(super) fn capture(&self, path: &str, params: &mut Params) -> Result<(), NotUtf8> {
        params.clear();
        let mut rest = path.strip_prefix('/').unwrap_or(path);
        let mut index = 0;
        for placeholder in &*self.0 {
            while index < placeholder.index {
                rest = rest.get(segment_len(rest) + 1..).unwrap_or_default();
                index += 1;
            }
            let raw = if placeholder.rest { rest } else { &rest[..segment_len(rest)] };
            let value = if raw.bytes().any(|byte| byte == b'%') {
                percent_decode_str(raw).decode_utf8().map_err(|_| NotUtf8)?.into_owned()
            } else {
                raw.to_owned()
            };
            params.0.push((placeholder.name.clone(), value));
        }
        Ok(())
    }
}

/// How long the first segment of a path is. A segment is short: a loop finds its end before a search has
/// begun.
fn segment_len(path: &str) -> usize {
    path.bytes().position(|byte| byte == b'/').unwrap_or(path.len())
}
