//! How many files and sockets may be open at once.

use std::io;

/// The limit of open descriptors of this process now; `u64::MAX` where there is none or it cannot be asked.
///
/// ```
/// assert!(sinew_system::descriptor_limit() > 3);
/// ```
pub fn descriptor_limit() -> u64 {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit};

        getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
    }
    #[cfg(not(unix))]
    u64::MAX
}

/// Raises the limit of open descriptors to the highest that this process may set itself, and returns it.
///
/// Each connection takes one. Many systems start a process with 1,024 for the sake of programs that call
/// `select`, and expect a server to ask for more. Child processes inherit the limit. Where there is no such
/// limit nothing is done.
///
/// # Errors
/// What the system says. The limit is then what it was.
pub fn raise_descriptor_limit() -> io::Result<u64> {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

        let now = getrlimit(Resource::Nofile);
        let set = |current| setrlimit(Resource::Nofile, Rlimit { current, maximum: now.maximum });
        if now.current != now.maximum {
            let raised = set(now.maximum);
            // Apple's systems have a bound below the one they tell.
            if raised.is_err() && cfg!(target_vendor = "apple") && now.current < Some(APPLE_MOST) {
                set(Some(APPLE_MOST))?;
            } else {
                raised?;
            }
        }
    }
    Ok(descriptor_limit())
}

/// `OPEN_MAX` in Apple's `sys/syslimits.h`.
#[cfg(unix)]
const APPLE_MOST: u64 = 10_240;
