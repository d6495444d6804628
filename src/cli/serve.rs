//! `snapshotd serve`: starts the daemon, tells where it listens, and stops it in order; the work is in `App` and `wire`.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::{notify, refuse_store};
use crate::App;
use crate::admin::{seed, webhooks};
use crate::config::{Config, DEFAULT_KEY};
use crate::lifecycle::engine;
use crate::store::folder;
use crate::wire::server::{self, Listeners};
use crate::wire::tls;

pub fn run(config: Config) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&error),
    };
    runtime.block_on(serve(config))
}

async fn serve(config: Config) -> ExitCode {
    // The handlers come first: a signal during the start is not lost.
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return refuse(&"signals cannot be handled");
    };
    let app = match App::open(config).await {
        Ok(app) => app,
        Err(failure) => return refuse_store(&failure),
    };
    let file = app.config.seed.file.clone();
    if !file.as_os_str().is_empty()
        && let Err(why) = seed::plant_file(&app, &file).await
    {
        app.store.close().await;
        return refuse(&why);
    }
    let listeners = match listen(&app.config).await {
        Ok(listeners) => listeners,
        Err(why) => {
            app.store.close().await;
            return refuse(&why);
        }
    };
    announce(&app, &listeners);
    let engine = tokio::spawn(engine::run(Arc::clone(&app)));
    let watchdog = tokio::spawn(notify::watchdog(Arc::clone(&app)));
    let webhooks = tokio::spawn(webhooks::run(Arc::clone(&app)));
    let backlog = tokio::spawn(catch_up(Arc::clone(&app)));
    let stopping = Arc::clone(&app);
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        notify::stopping();
        stopping.signals.stop();
    };
    server::serve(Arc::clone(&app), listeners, stop).await;
    backlog.abort();
    engine.abort();
    webhooks.abort();
    watchdog.abort();
    app.store.close().await;
    folder::withdraw_endpoint(&app.config.data_dir);
    tracing::info!("stopped");
    ExitCode::SUCCESS
}

async fn listen(config: &Config) -> Result<Listeners, String> {
    let bind = async |address| TcpListener::bind(address).await.map_err(|error| format!("{address}: {error}"));
    let plain = bind(config.listen).await?;
    let tls = match config.tls.listen {
        Some(address) => {
            let acceptor = tls::acceptor(config).map_err(|failure| format!("tls: {failure}"))?;
            Some((bind(address).await?, acceptor))
        }
        None => None,
    };
    Ok(Listeners { plain, tls })
}

/// Lets everything happen that fell due while the daemon was down, then says that it is ready (decision 33); calls are
/// served meanwhile.
async fn catch_up(app: Arc<App>) {
    if let Err(failure) = app.store.settle(app.clock.now()).await {
        tracing::error!(error = ?failure, "what fell due before the start could not happen yet");
        return;
    }
    app.is_ready.store(true, Ordering::Release);
    notify::ready();
}

/// A line on standard output for each listener, for programs; a few more on standard error for people.
fn announce(app: &App, listeners: &Listeners) {
    let address = |listener: &TcpListener, asked: SocketAddr| listener.local_addr().unwrap_or(asked);
    let endpoint = format!("http://{}", address(&listeners.plain, app.config.listen));
    // The file comes first: who has read the line may look for it.
    if let Err(error) = folder::publish_endpoint(&app.config.data_dir, &endpoint) {
        tracing::warn!(%error, "the file `endpoint` could not be written");
    }
    println!("listening on {endpoint}");
    if let (Some((listener, _)), Some(asked)) = (&listeners.tls, app.config.tls.listen) {
        println!("listening on https://{}", address(listener, asked));
    }
    eprintln!("snapshotd {} serves {endpoint}, data in {}", env!("CARGO_PKG_VERSION"), app.config.data_dir.display());
    if app.config.has_default_key() {
        eprintln!("access key {DEFAULT_KEY}, secret testsecret: shipped with snapshotd and known to everybody");
        let program = std::env::args().next().unwrap_or_else(|| "snapshotd".to_owned());
        eprintln!("try:  {program} call DescribeSnapshots --endpoint {endpoint}");
    }
}

fn refuse(why: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("snapshotd: {why}");
    ExitCode::FAILURE
}
