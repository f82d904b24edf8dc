//! Ctrl-C and SIGTERM. SIGHUP is left alone, so that `nohup` does what it is for.

use std::io;

use sinew_runtime::Shutdown;

use crate::log::Log;

/// The first signal triggers `shutdown`; a second one ends the process with code 1.
pub(crate) fn install(shutdown: Shutdown, log: Log) -> io::Result<()> {
    watch(move || {
        if shutdown.is_triggered() {
            std::process::exit(1);
        }
        log.problem("stopping: requests in flight are finished; a second signal ends them");
        shutdown.trigger();
    })
}

#[cfg(unix)]
fn watch(mut on_signal: impl FnMut() + Send + 'static) -> io::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};

    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || signals.forever().for_each(|_| on_signal()))
        .map(drop)
}

#[cfg(not(unix))]
fn watch(on_signal: impl FnMut() + Send + 'static) -> io::Result<()> {
    ctrlc::set_handler(on_signal).map_err(io::Error::other)
}
