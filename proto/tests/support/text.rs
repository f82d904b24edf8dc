//! What fixtures of both roles have in common: escapes and limits.

use sinew_proto::Config;

/// `name=number`, several with blanks between.
pub(crate) fn set_limits(config: &mut Config, text: &str) -> Result<(), String> {
    for setting in text.split(' ') {
        let (name, value) = setting.split_once('=').ok_or("limits are name=number")?;
        let value: u32 = value.parse().map_err(|_| "limits are name=number")?;
        match name {
            "head" => config.max_head_bytes = value,
            "target" => config.max_target_bytes = value,
            "fields" => config.max_fields = u16::try_from(value).map_err(|_| "fields")?,
            "chunk-extensions" => config.max_chunk_extension_bytes = value,
            "trailers" => config.max_trailer_bytes = value,
            "drain" => config.max_drain_bytes = value,
            "interim" => config.max_interim_responses = u8::try_from(value).map_err(|_| "interim")?,
            _ => return Err(format!("limit {name:?}")),
        }
    }
    Ok(())
}

/// `\r \n \t \\`, `\xHH`, and `\{N:TEXT}` for N times a text.
pub(crate) fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        bytes.extend_from_slice(plain.as_bytes());
        let kind = escaped.chars().next().ok_or("a backslash at the end")?;
        rest = escaped.get(1..).ok_or("not ASCII after a backslash")?;
        match kind {
            'r' => bytes.push(b'\r'),
            'n' => bytes.push(b'\n'),
            't' => bytes.push(b'\t'),
            '\\' => bytes.push(b'\\'),
            'x' => {
                let digits = rest.get(..2).ok_or("\\x takes two digits")?;
                bytes.push(u8::from_str_radix(digits, 16).map_err(|e| e.to_string())?);
                rest = &rest[2..];
            }
            '{' => {
                let (inner, after) = rest.split_once('}').ok_or("\\{ without }")?;
                let (count, text) = inner.split_once(':').ok_or("\\{ takes N:TEXT}")?;
                let count: usize = count.parse().map_err(|_| "\\{ takes a number")?;
                bytes.extend(unescape(text)?.repeat(count));
                rest = after;
            }
            _ => return Err(format!("\\{kind} is not known")),
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

/// Bytes as the fixtures write them.
pub(crate) fn escape(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|&b| match b {
            b'\r' => "\\r".to_owned(),
            b'\n' => "\\n".to_owned(),
            b'\t' => "\\t".to_owned(),
            b'\\' => "\\\\".to_owned(),
            b' '..=b'~' => char::from(b).to_string(),
            _ => format!("\\x{b:02x}"),
        })
        .collect()
}
