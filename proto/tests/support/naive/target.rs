//! The target of a request and the authority in it (RFC 9112 §3.2, RFC 3986 §3.2).

/// §3.2: the path and query of a target; `None` if it has none of the forms its method may have.
pub(super) fn path_and_query<'w>(method: &str, target: &'w str) -> Option<(&'w str, Option<&'w str>)> {
    // RFC 3986 §2: no blank, no control, nothing above ASCII; a fragment is never sent. Laxer: any
    // other visible character, as browsers send some of them.
    if !target.bytes().all(|b| b.is_ascii_graphic() && b != b'#') || !percent_triplets(target) {
        return None;
    }
    // §3.2.3, RFC 9110 §9.3.6: `authority-form = uri-host ":" port`, for CONNECT alone; a port that
    // is empty is refused.
    if method == "CONNECT" {
        let (_, port) = split_port(target);
        let valid = authority(target) && port.is_some_and(|port| !port.is_empty());
        return valid.then_some((target, None));
    }
    // §3.2.4: `asterisk-form = "*"`, for OPTIONS alone.
    if target == "*" {
        return (method == "OPTIONS").then_some((target, None));
    }
    // §3.2.1: `origin-form = absolute-path [ "?" query ]`. §3.2.2: `absolute-form = absolute-URI`.
    let whole = if target.starts_with('/') {
        target
    } else {
        let host = authority_of(target).filter(|host| authority(host))?;
        target.split_once("://")?.1.strip_prefix(host)?
    };
    let (path, query) = whole.split_once('?').map_or((whole, None), |(path, query)| (path, Some(query)));
    Some((if path.is_empty() { "/" } else { path }, query))
}

/// What stands between `http://` and the path of an absolute target. Stricter: no scheme but
/// `http` and `https` (RFC 9110 §4.2).
pub(super) fn authority_of(target: &str) -> Option<&str> {
    let (scheme, rest) = target.split_once("://")?;
    let known = ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    known.then(|| rest.split(['/', '?']).next().unwrap_or_default())
}

/// RFC 9110 §7.2: `Host = uri-host [ ":" port ]`. Stricter: a host that is not empty (RFC 9110
/// §4.2.1 has it so for `http`), and a port that fits into 16 bits. No userinfo (RFC 9110 §4.2.4).
pub(super) fn authority(text: &str) -> bool {
    let (host, port) = split_port(text);
    let port = port.unwrap_or_default();
    let port = port.bytes().all(|b| b.is_ascii_digit())
        && port.len() <= 5
        && (port.is_empty() || port.parse::<u16>().is_ok());
    port && match host.strip_prefix('[') {
        // RFC 3986 §3.2.2: `IP-literal = "[" ( IPv6address / IPvFuture  ) "]"`
        Some(literal) => literal.strip_suffix(']').is_some_and(|inner| ipv6(inner) || ip_future(inner)),
        // `reg-name = *( unreserved / pct-encoded / sub-delims )`; an IPv4 address looks like one.
        None => !host.is_empty() && host.bytes().all(|b| reg_name(b) || b == b'%') && percent_triplets(host),
    }
}

/// `host:port`. Only a host in brackets has colons of its own.
fn split_port(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    }
}

/// RFC 3986 §3.2.2: eight groups of four digits, `::` once for one group or more that are zero, and
/// an IPv4 address in the place of the last two.
fn ipv6(text: &str) -> bool {
    // How many groups a list of them has, `None` if it is none.
    let count = |list: &str, last: bool| -> Option<usize> {
        let groups: Vec<&str> = if list.is_empty() { Vec::new() } else { list.split(':').collect() };
        let mut sum = 0;
        for (at, group) in groups.iter().enumerate() {
            let hex = (1..=4).contains(&group.len()) && group.bytes().all(|b| b.is_ascii_hexdigit());
            let v4 = last && at + 1 == groups.len() && ipv4(group);
            sum += if hex { 1 } else { usize::from(v4) * 2 };
            if !hex && !v4 {
                return None;
            }
        }
        Some(sum)
    };
    match text.split_once("::") {
        None => count(text, true) == Some(8),
        Some((before, after)) => {
            count(before, false).zip(count(after, true)).is_some_and(|(before, after)| before + after <= 7)
        }
    }
}

/// `IPv4address = dec-octet "." dec-octet "." dec-octet "." dec-octet`, no zeros in front.
fn ipv4(text: &str) -> bool {
    let octet = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_digit())
            && (part == "0" || !part.starts_with('0'))
            && part.parse::<u8>().is_ok()
    };
    text.split('.').count() == 4 && text.split('.').all(octet)
}

/// `IPvFuture = "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" )`
fn ip_future(text: &str) -> bool {
    let Some((version, address)) = text.strip_prefix(['v', 'V']).and_then(|rest| rest.split_once('.')) else {
        return false;
    };
    !version.is_empty()
        && version.bytes().all(|b| b.is_ascii_hexdigit())
        && !address.is_empty()
        && address.bytes().all(|b| reg_name(b) || b == b':')
}

/// RFC 3986 §2.2 and §2.3: `unreserved / sub-delims`
fn reg_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&b)
}

/// RFC 3986 §2.1: `pct-encoded = "%" HEXDIG HEXDIG`, and `%` stands nowhere else.
fn percent_triplets(text: &str) -> bool {
    text.split('%').skip(1).all(|after| {
        let digits = after.as_bytes();
        digits.len() >= 2 && digits[..2].iter().all(u8::is_ascii_hexdigit)
    })
}
