//! Random load on a server that is restarted all the time, where every request is accounted for:
//! `cargo run --release -p sinew-tests --bin soak -- --runtime tokio --seconds 600`
//!
//! `--seed N` repeats the choices of a run, `--clients N` is how many are at work,
//! `--listeners inherited` has the servers inherit one listener that never closes, so that no connection
//! may be refused; with `--listeners own`, the default, each server opens its own. The exit code is 1
//! if a request was lost or a server did not end well.
#![forbid(unsafe_code)]

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    use std::process::ExitCode;

    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.split_first() {
        Some((first, rest)) if first == "serve" => sinew_tests::subject::serve(rest).map(|()| true),
        _ => soak(&args),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::from(2)
        }
    }
}

#[cfg(target_os = "linux")]
fn soak(args: &[String]) -> std::io::Result<bool> {
    use std::io::{Error, ErrorKind};
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    let program = std::env::current_exe()?;
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut plan = sinew_tests::soak::Plan {
        program: program.to_string_lossy().into_owned(),
        runtime: "tokio".to_owned(),
        time: Duration::from_secs(600),
        seed,
        clients: 64,
        own_listeners: true,
    };
    let wrong = |what: &str| Error::new(ErrorKind::InvalidInput, what.to_owned());
    for pair in args.chunks(2) {
        let [name, value] = pair else { return Err(wrong("every option has a value")) };
        let number = || value.parse::<u64>().map_err(|_| wrong(&format!("{name} {value}: not a number")));
        match (name.as_str(), value.as_str()) {
            ("--runtime", runtime) => runtime.clone_into(&mut plan.runtime),
            ("--seconds", _) => plan.time = Duration::from_secs(number()?),
            ("--seed", _) => plan.seed = number()?,
            ("--clients", _) => plan.clients = usize::try_from(number()?).map_err(Error::other)?,
            ("--listeners", "own") => plan.own_listeners = true,
            ("--listeners", "inherited") => plan.own_listeners = false,
            _ => return Err(wrong(&format!("{name} {value}: no such option"))),
        }
    }
    println!("soak: {plan:?}");
    let account = sinew_tests::soak::run(&plan)?;
    println!("{account}");
    println!("soak: {}", if account.is_good() { "no request was lost" } else { "FAILED" });
    Ok(account.is_good())
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("soak needs Linux");
    std::process::exit(69);
}
