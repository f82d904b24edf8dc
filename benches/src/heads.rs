//! Heads of requests: short, usual, mixed and long; what else goes over the wire.

/// As a load generator sends it.
pub(crate) const TWO_LINES: &[u8] = b"GET /plaintext HTTP/1.1\r\nHost: localhost:8080\r\n\r\n";

/// Twelve fields, as a browser sends them.
pub(crate) const BROWSER: &[u8] = b"GET /users/12345?tab=profile HTTP/1.1\r\n\
Host: www.example.com\r\n\
Connection: keep-alive\r\n\
sec-ch-ua: \"Chromium\";v=\"128\", \"Not;A=Brand\";v=\"24\"\r\n\
sec-ch-ua-mobile: ?0\r\n\
sec-ch-ua-platform: \"Linux\"\r\n\
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Safari/537.36\r\n\
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n\
Sec-Fetch-Site: none\r\n\
Sec-Fetch-Mode: navigate\r\n\
Accept-Encoding: gzip, deflate, br, zstd\r\n\
Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n\
Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\
\r\n";

/// The head of a response: eight fields.
pub(crate) const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\n\
Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
Server: Apache/2.4.62 (Unix)\r\n\
Content-Type: application/json; charset=utf-8\r\n\
Content-Length: 0\r\n\
Cache-Control: max-age=0, private, must-revalidate\r\n\
ETag: W/\"0123456789abcdef0123456789abcdef\"\r\n\
Vary: Accept-Encoding, Origin\r\n\
X-Request-Id: 0f8fad5b-d9cb-469f-a165-70867728950e\r\n\
\r\n";

/// The fields of an answer, beside its length and its date.
pub(crate) const FIELDS: [(&str, &str); 3] =
    [("server", "sinew"), ("content-type", "text/plain"), ("cache-control", "no-store")];

/// How long an answer with those fields, a length, a date and 13 bytes is.
pub(crate) fn answer_len() -> usize {
    let fields: usize = FIELDS.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    let date = "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    fields + date.len() + "HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\nHello, World!".len()
}

/// A request with a body in so many chunks of that size.
pub(crate) fn chunks(count: usize, size: usize) -> Vec<u8> {
    let mut wire = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..count {
        wire.extend_from_slice(format!("{size:x}\r\n").as_bytes());
        wire.resize(wire.len() + size, b'x');
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b"0\r\n\r\n");
    wire
}

/// A hundred fields of 35 bytes.
pub(crate) fn hundred_fields() -> Vec<u8> {
    let mut lines = vec!["GET / HTTP/1.1".to_owned(), "Host: www.example.com".to_owned()];
    lines.extend((1..100).map(|i| format!("X-Field-Number-{i:02}: value-number-{i:03}")));
    (lines.join("\r\n") + "\r\n\r\n").into_bytes()
}

/// How many heads [`mixed`] makes.
pub(crate) const MIXED: usize = 512;

/// What a public server sees: no two alike, from three lines to a cookie of a kilobyte, with methods,
/// targets, versions and fields that differ. The same in each run.
pub(crate) fn mixed() -> Vec<Vec<u8>> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    (0..MIXED).map(|_| one(&mut random).into_bytes()).collect()
}

fn one(random: &mut Random) -> String {
    let target = match random.below(6) {
        0 => "/".to_owned(),
        1 => format!("/static/{}.css", random.text(16)),
        2 => format!("/users/{}/posts?page={}&sort=-date", random.below(99_999), random.below(50)),
        3 => format!("/search?q={}%20{}%C3%A4", random.text(7), random.text(5)),
        4 => format!("/api/v2/{}/{}", random.text(9), random.text(24)),
        _ => format!("/{}/", random.text(5)),
    };
    let method = *random.one_of(&["GET", "GET", "GET", "GET", "GET", "HEAD", "POST", "OPTIONS", "DELETE"]);
    let mut fields =
        vec![format!("Host: {}.example.{}", random.text(6), random.one_of(&["com", "org:8080", "net"]))];
    let browser = random.below(3) > 0;
    if browser {
        fields.push("Connection: keep-alive".to_owned());
        fields.push(format!(
            "User-Agent: Mozilla/5.0 ({}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36",
            random.one_of(&["X11; Linux x86_64", "Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7"]),
            100 + random.below(40),
        ));
        fields.push("Accept-Encoding: gzip, deflate, br".to_owned());
    } else {
        fields.push(format!("user-agent: {}/{}.{}", random.text(4), random.below(9), random.below(90)));
    }
    let usual: [&dyn Fn(&mut Random) -> String; 12] = [
        &|_| "Accept: */*".to_owned(),
        &|_| "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8".to_owned(),
        &|_| "Accept-Language: en-GB,en;q=0.9,de;q=0.8".to_owned(),
        &|random| format!("Referer: https://{}.example.com/{}", random.text(6), random.text(12)),
        &|random| format!("If-None-Match: \"{}\"", random.text(20)),
        &|random| format!("X-Request-Id: {}", random.text(32)),
        &|random| format!("X-Forwarded-For: 203.0.113.{}, 10.0.0.{}", random.below(255), random.below(255)),
        &|random| format!("Authorization: Bearer {}", random.text(180)),
        &|_| "Cache-Control: no-cache".to_owned(),
        &|_| "Sec-Fetch-Mode: navigate".to_owned(),
        &|_| "DNT: 1".to_owned(),
        &|random| format!("sec-ch-ua: \"Chromium\";v=\"{}\"", random.below(150)),
    ];
    for field in usual {
        if random.below(if browser { 2 } else { 4 }) == 0 {
            fields.push(field(random));
        }
    }
    if browser && random.below(2) == 0 {
        let length = 20 + random.below(1_000);
        fields.push(format!("Cookie: session={}; theme={}", random.text(32), random.text(length)));
    }
    if method == "POST" {
        fields.push("Content-Type: application/json".to_owned());
        fields.push(format!("Content-Length: {}", random.below(5_000)));
    }
    format!("{method} {target} HTTP/1.1\r\n{}\r\n\r\n", fields.join("\r\n"))
}

/// Numbers that look random (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 16) % limit
    }

    fn one_of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let at = usize::try_from(self.below(items.len() as u64)).expect("an index");
        &items[at]
    }

    fn text(&mut self, length: u64) -> String {
        const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
        (0..length).map(|_| char::from(*self.one_of(LETTERS))).collect()
    }
}

#[cfg(test)]
mod tests {
    use sinew_proto::http1::Server;
    use sinew_proto::http1::server::Event;
    use sinew_proto::{Config, FieldTable};

    use super::*;
    use crate::buffer::NOW;

    type Lines = Vec<(String, Vec<u8>)>;

    fn line(name: &str, value: &[u8]) -> (String, Vec<u8>) {
        (name.to_owned(), value.to_vec())
    }

    fn ours(input: &[u8]) -> (String, Lines) {
        let config = Config::default();
        let mut fields = FieldTable::new(&config);
        match Server::new(&config).poll(input, &mut fields, NOW).expect("a valid head").event {
            Event::Request(head) => (
                head.target().to_owned(),
                head.fields().iter().map(|field| line(field.name, field.value)).collect(),
            ),
            other => panic!("{other:?}"),
        }
    }

    fn httparse(input: &[u8]) -> (String, Lines) {
        let mut fields = [::httparse::EMPTY_HEADER; 100];
        let mut head = ::httparse::Request::new(&mut fields);
        assert!(head.parse(input).expect("a valid head").is_complete());
        let lines = head.headers.iter().map(|field| line(field.name, field.value)).collect();
        (head.path.expect("a target").to_owned(), lines)
    }

    fn http_net(input: &[u8]) -> (String, Lines) {
        use ::http_net::{FieldSpan, Limits, Parsed, parse_request_head};
        let mut fields = [FieldSpan::default(); 100];
        match parse_request_head(input, &Limits::new(), &mut fields).expect("a valid head") {
            Parsed::Complete { head, .. } => {
                let head = head.view();
                let lines = head.headers().map(|(name, value)| line(name, value)).collect();
                (head.target().to_owned(), lines)
            }
            other => panic!("{other:?}"),
        }
    }

    /// What is compared does the same work.
    #[test]
    fn all_read_the_same_from_each_head() {
        let mut inputs = mixed();
        inputs.extend([BROWSER.to_vec(), TWO_LINES.to_vec(), hundred_fields()]);
        for input in &inputs {
            let read = ours(input);
            assert!(!read.1.is_empty());
            assert_eq!(read, httparse(input));
            assert_eq!(read, http_net(input));
        }
    }
}
