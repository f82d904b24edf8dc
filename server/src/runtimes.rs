//! One function for each runtime that serves an [`App`] until the signal, and drains.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use sinew_runtime::Shutdown;

use crate::app::App;
use crate::args::RuntimeName;

/// Threads for blocking work on tokio: enough for a disk, few enough for memory.
const BLOCKING_THREADS: usize = 64;

/// Serves until `shutdown` is triggered and requests in flight are finished. `listener` does not
/// block.
pub(crate) fn serve(
    name: RuntimeName,
    listener: TcpListener,
    app: App,
    threads: usize,
    shutdown: &Shutdown,
) -> io::Result<()> {
    match name {
        RuntimeName::Tokio => on_tokio(listener, app, threads, shutdown),
        RuntimeName::Smol => on_smol(listener, app, threads, shutdown),
        RuntimeName::Std => on_std(listener, app, threads, shutdown),
    }
}

fn on_tokio(listener: TcpListener, app: App, threads: usize, shutdown: &Shutdown) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()?;
    let served = runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let config = app.connection_config();
        // A task of its own: the thread that blocks on it is no worker.
        let serve = sinew_tokio::serve(listener, app).config(config).with_graceful_shutdown(shutdown.wait());
        tokio::spawn(serve.into_future()).await.map_err(io::Error::other)?
    });
    // Not dropped: that would wait for a read that a broken disk never ends.
    runtime.shutdown_background();
    served
}

fn on_smol(listener: TcpListener, app: App, threads: usize, shutdown: &Shutdown) -> io::Result<()> {
    let executor = Arc::new(smol::Executor::new());
    let stop = Shutdown::new();
    for index in 0..threads {
        let (executor, stop) = (executor.clone(), stop.clone());
        std::thread::Builder::new()
            .name(format!("smol-{index}"))
            .spawn(move || smol::block_on(executor.run(stop.wait())))?;
    }
    let served = smol::block_on(async {
        let listener = smol::net::TcpListener::from(smol::Async::new(listener)?);
        let config = app.connection_config();
        let serve = sinew_smol::serve(listener, app).config(config).executor(executor.clone());
        executor.spawn(serve.with_graceful_shutdown(shutdown.wait()).into_future()).await
    });
    stop.trigger();
    served
}

fn on_std(listener: TcpListener, app: App, threads: usize, shutdown: &Shutdown) -> io::Result<()> {
    let config = app.connection_config();
    sinew_std::serve(listener, app)
        .workers(threads)
        .config(config)
        .with_graceful_shutdown(shutdown.wait())
        .run()
}
