//! The requests that are sent: one kind in a run.

/// What a browser adds to `Host`: twelve more field lines, as Chromium sends them for a page.
const BROWSER: &[(&str, &str)] = &[
    ("Connection", "keep-alive"),
    ("sec-ch-ua", r#""Chromium";v="140", "Not=A?Brand";v="24", "Google Chrome";v="140""#),
    ("sec-ch-ua-mobile", "?0"),
    ("sec-ch-ua-platform", r#""Linux""#),
    ("Upgrade-Insecure-Requests", "1"),
    (
        "User-Agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    ),
    (
        "Accept",
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8",
    ),
    ("Sec-Fetch-Site", "none"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Dest", "document"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Accept-Language", "en-US,en;q=0.9"),
];

/// The bytes of one request: POST with that many bytes of a body if there are any, otherwise GET.
pub fn request(host: &str, path: &str, body: usize, browser: bool) -> Vec<u8> {
    let method = if body > 0 { "POST" } else { "GET" };
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n");
    if browser {
        head.extend(BROWSER.iter().flat_map(|(name, value)| [*name, ": ", *value, "\r\n"]));
    }
    if body > 0 {
        head.extend(["Content-Type: text/plain\r\nContent-Length: ", &body.to_string(), "\r\n"]);
    }
    head.push_str("\r\n");
    let mut request = head.into_bytes();
    request.resize(request.len() + body, b'b');
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests() {
        assert_eq!(request("h", "/p", 0, false), b"GET /p HTTP/1.1\r\nHost: h\r\n\r\n");
        let post: &[u8] =
            b"POST /e HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nbbb";
        assert_eq!(request("h", "/e", 3, false), post);
        let browser = String::from_utf8(request("h", "/", 0, true)).expect("text");
        assert_eq!(browser.lines().filter(|line| line.contains(": ")).count(), 13);
    }
}
