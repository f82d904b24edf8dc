//! Ctrl-C and SIGTERM. SIGHUP is left alone, so that `nohup` does what it is for.

use std::io;

use sinew_runtime::Shutdown;
use sinew_system::signals::on_termination;

use crate::log::Log;

/// The first signal triggers `shutdown`; a second one ends the process with code 1.
pub(crate) fn install(shutdown: Shutdown, log: Log) -> io::Result<()> {
    on_termination(move |count| {
        if count > 1 {
            std::process::exit(1);
        }
        log.problem("stopping: requests in flight are finished; a second signal ends them");
        shutdown.trigger();
    })
}
