//! Random load on a server that is restarted all the time; every request is accounted for.
#![forbid(unsafe_code)]

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.split_first() {
        Some((first, rest)) if first == "serve" => sinew_tests::subject::serve(rest),
        _ => Err(std::io::Error::other("soak: not yet")),
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("soak needs Linux");
    std::process::exit(69);
}
