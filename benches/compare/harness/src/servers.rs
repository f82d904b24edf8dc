//! The servers, and how each is built and started.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, io};

/// One of the servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) name: &'static str,
    origin: Origin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// A package of this workspace.
    Package(&'static str),
    /// The example `bench` of the main workspace, on that runtime.
    Ours(&'static str),
}

/// All, in the order of the tables. What the others are compared with is the first.
pub(crate) const SERVERS: &[Server] = &[
    Server { name: "raw-epoll", origin: Origin::Package("raw-epoll") },
    Server { name: "may", origin: Origin::Package("peer-may") },
    Server { name: "hyper", origin: Origin::Package("peer-hyper") },
    Server { name: "axum", origin: Origin::Package("peer-axum") },
    Server { name: "actix", origin: Origin::Package("peer-actix") },
    Server { name: "tokio", origin: Origin::Ours("tokio") },
    Server { name: "smol", origin: Origin::Ours("smol") },
    Server { name: "std", origin: Origin::Ours("std") },
];

/// Where what is built lies.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    /// The target folder of this workspace.
    here: PathBuf,
    /// That of the main one.
    main: PathBuf,
}

impl Programs {
    pub(crate) fn find() -> io::Result<Self> {
        let program = env::current_exe()?;
        let here = program.ancestors().nth(2).ok_or(io::Error::other("this program has no target folder"))?;
        let main = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
        Ok(Self { here: here.to_owned(), main: std::path::absolute(main)? })
    }

    /// The program that loads.
    pub(crate) fn load(&self) -> PathBuf {
        self.here.join("release/load")
    }

    /// Builds the client and each of the servers, each package by itself, so that none gets features of
    /// dependencies that another asks for.
    pub(crate) fn build(&self, servers: &[Server]) -> io::Result<()> {
        let workspace = root().join("benches/compare");
        build(&workspace, &self.here, &["-p", "load"])?;
        for server in servers {
            if let Origin::Package(package) = server.origin {
                build(&workspace, &self.here, &["-p", package])?;
            }
        }
        if servers.iter().any(Server::is_ours) {
            build(&root(), &self.main, &["-p", "sinew-examples", "--example", "bench"])?;
        }
        Ok(())
    }

    /// The command that starts a server.
    pub(crate) fn command(&self, server: Server, port: u16, threads: usize) -> Command {
        let mut command = match server.origin {
            Origin::Package(package) => Command::new(self.here.join("release").join(package)),
            Origin::Ours(runtime) => {
                let mut command = Command::new(self.main.join("release/examples/bench"));
                command.args(["--runtime", runtime]);
                command
            }
        };
        command.args(["--port", &port.to_string(), "--threads", &threads.to_string()]);
        command
    }
}

impl Server {
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self.origin, Origin::Ours(_))
    }
}

/// The main workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).unwrap_or(Path::new(".")).to_owned()
}

fn build(workspace: &Path, target: &Path, what: &[&str]) -> io::Result<()> {
    eprintln!("building {}", what.join(" "));
    let cargo = env::var_os("CARGO").unwrap_or("cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(workspace).args(["build", "--release", "--locked", "--quiet"]).args(what);
    let status = command.arg("--target-dir").arg(target).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("cannot build {}", what.join(" ")))) }
}
