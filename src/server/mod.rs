//! Assembles a running server: the database, the workers and the HTTP threads.

mod acceptor;
mod connection;
mod http;
mod provisioning;
mod service_manager;
mod threads;
mod tls;
mod workers;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use url::Url;

use crate::admin::server::AdminListener;
use crate::config::Config;
use crate::config::section::Checkpoint;
use crate::config::supervisor::Supervisor;
use crate::error::{Error, Result};
use crate::files;
use crate::metrics::Metrics;
use crate::model::clock::Clock;
use crate::runtime::app::Shared;
use crate::runtime::bearer::Verifier;
use crate::runtime::counters::Counters;
use crate::runtime::feeds::Feeds;
use crate::runtime::heartbeats::Heartbeats;
use crate::runtime::key_locks::KeyLocks;
use crate::runtime::limits::RateLimits;
use crate::runtime::outcomes::Outcomes;
use crate::runtime::quotas::Quotas;
use crate::runtime::tickets::Tickets;
use crate::runtime::tokens::Renewals;
use crate::runtime::wakers::{End, Wakers};
use crate::server::acceptor::Holder;
use crate::server::http::{Http, listen, take_over};
use crate::server::service_manager::ServiceManager;
use crate::server::tls::Certificate;
use crate::store::backup::remains;
use crate::store::chats::fetch_jobs;
use crate::store::dispatch;
use crate::store::outbox::lanes::LineOutbox;
use crate::store::webhooks::lanes::WebhookOutbox;
use crate::store::{Store, verify};

/// The longest wait for ended threads to release shared state.
const RELEASE_TIME_MAX: Duration = Duration::from_secs(2);

/// The interval of checks whether they have.
const RELEASE_PAUSE: Duration = Duration::from_millis(2);

/// A server that has opened its database and port but does not serve yet.
pub struct Server {
    shared: Arc<Shared>,
    listener: TcpListener,
    holder: Holder,
    metrics: Option<TcpListener>,
    commands: Option<AdminListener>,
    certificate: Option<Certificate>,
    notify: ServiceManager,
}

impl Server {
    /// Binds the port, opens the database, and applies what the configuration declares.
    ///
    /// `Unusable` when a setting, the database or the port cannot be used.
    pub fn bind(config: Config, clock: Clock) -> Result<Self> {
        Self::bind_under(Supervisor::default(), config, clock)
    }

    /// Like [`Self::bind`], under a service manager: a socket that it passes replaces the configured one.
    pub fn bind_under(supervisor: Supervisor, config: Config, clock: Clock) -> Result<Self> {
        let (started, verifier) = (clock.now(), Verifier::new(config.require_jwt_key()?));
        let notify = ServiceManager::new(&supervisor);
        let certificate = Certificate::open(&config.tls)?;
        let (listener, holder) = listener_of(supervisor, &config)?;
        let metrics_listener = config.metrics.listen.as_deref().map(listen).transpose()?;
        let store = open_store(&config)?;
        let media_store = store.open_media_store(&config.data_directory)?;
        provisioning::save(&store, &config, clock.now())
            .and_then(|()| recover(&store, &clock))
            .map_err(|error| verify::diagnostics::explained(&config.database_path(), clock.now(), error))?;
        media_store.remove_partial_files()?;
        let public_url = public_url(&config, listener.local_addr().map_err(Error::internal)?);
        let (feeds, limits) = (Feeds::new(&config.limits), RateLimits::new(&config.limits));
        let metrics = Metrics::new(store.commits().clone());
        let shared = Shared {
            heartbeats: Heartbeats::new(config.line.timeout),
            config,
            public_url,
            wakers: Wakers::new(store.webhooks_enqueued()),
            store,
            media_store,
            clock,
            verifier,
            renewals: Renewals::default(),
            outcomes: Outcomes::new(metrics.deliveries()),
            key_locks: KeyLocks::default(),
            quotas: Quotas::default(),
            feeds,
            tickets: Tickets::default(),
            limits,
            counters: Counters::default(),
            metrics,
            started,
            end: End::default(),
        };
        let commands = listen_to_commands(&shared.config);
        let (shared, metrics) = (Arc::new(shared), metrics_listener);
        Ok(Self { shared, listener, holder, metrics, commands, certificate, notify })
    }

    /// The URL of the API for clients on this machine.
    pub fn url(&self) -> Result<String> {
        let Config { base_path, .. } = &self.shared.config;
        Ok(format!("{}://{}{base_path}", self.shared.config.scheme(), self.address()?))
    }

    /// The address on which the server listens.
    pub fn address(&self) -> Result<SocketAddr> {
        self.listener.local_addr().map_err(Error::internal)
    }

    /// The address on which metrics are served, if they are.
    pub fn metrics_address(&self) -> Result<Option<SocketAddr>> {
        let address = self.metrics.as_ref().map(TcpListener::local_addr).transpose();
        address.map_err(Error::internal)
    }

    /// The state shared by the HTTP threads.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Serves requests and runs the workers until `stop` resolves. Then it stops accepting, finishes what is in
    /// flight within the configured time, and closes the database.
    ///
    /// `Unusable` when it ended because the files of the database were moved, removed or replaced.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<()> {
        let store = self.shared.store.clone();
        let ended = self.run_until(stop).await;
        // The loss of the database is the cause; how the server ended is not.
        store.loss().map_or(ended, Err)
    }

    async fn run_until(self, stop: impl Future<Output = ()>) -> Result<()> {
        let limit = self.shared.config.limits.shutdown_timeout;
        let holders = Arc::strong_count(&self.shared);
        let end_of_workers = End::default();
        let workers = workers::spawn(&self.shared, &end_of_workers.stop())?;
        let mut workers = std::pin::pin!(workers);
        let settings = self.certificate.as_ref().map(Certificate::settings);
        let listening = (self.listener, self.holder, settings);
        let http = Http::start(&self.shared, listening, self.metrics).await?;
        let commands = self.commands.map(|commands| commands.serve(&self.shared)).transpose()?;
        self.notify.ready();
        let ended = tokio::select! {
            () = stop => Ok(()),
            // A worker ends unasked only when it panics: a restart is the only remedy.
            () = &mut workers => Err(Error::internal("a worker has ended")),
            () = self.shared.store.lost() => Ok(()),
            () = self.notify.run_watchdog(&self.shared.heartbeats) => Ok(()),
            () = watch_certificate(self.certificate) => Ok(()),
        };
        log::info!("stopping");
        self.notify.stopping();
        let ended = ended.and(http.stop().await);
        if matches!(ended, Err(Error::Internal(_))) {
            return ended;
        }
        end_of_workers.begin();
        if tokio::time::timeout(limit, workers).await.is_err() {
            log::warn!("some deliveries are still in flight; they continue at the next start");
        }
        // Until here commands get the response that the server is stopping.
        drop(commands);
        wait_for_release(&self.shared, holders).await;
        ended
    }
}

/// The socket of the API, and its holder.
fn listener_of(supervisor: Supervisor, config: &Config) -> Result<(TcpListener, Holder)> {
    match supervisor.listener {
        Some(listener) => Ok((take_over(listener)?, Holder::Supervisor)),
        None => Ok((listen(&config.listen)?, Holder::Us)),
    }
}

/// Opens the admin socket. Without it the server works, but commands that write require that it is stopped.
fn listen_to_commands(config: &Config) -> Option<AdminListener> {
    match AdminListener::bind(&config.data_directory) {
        Ok(listener) => Some(listener),
        Err(error) => {
            log::warn!("commands cannot reach this server: cannot create its socket: {}", error.chain());
            None
        }
    }
}

/// Waits until the HTTP threads have released the shared state, a moment after they end. The database is
/// closed, and its log checkpointed, only when its last handle is dropped; a process that exits earlier leaves
/// that to the next start.
async fn wait_for_release(shared: &Arc<Shared>, holders: usize) {
    let limit = Instant::now() + RELEASE_TIME_MAX;
    while Arc::strong_count(shared) > holders && Instant::now() < limit {
        tokio::time::sleep(RELEASE_PAUSE).await;
    }
}

async fn watch_certificate(certificate: Option<Certificate>) {
    match certificate {
        Some(certificate) => certificate.watch().await,
        None => std::future::pending().await,
    }
}

/// Recovers what was in flight when the previous process ended.
fn recover(store: &Store, clock: &Clock) -> Result<()> {
    store.write_blocking(clock.now(), dispatch::recover::<LineOutbox>)?;
    store.write_blocking(clock.now(), fetch_jobs::recover)?;
    store.write_blocking(clock.now(), dispatch::recover::<WebhookOutbox>)
}

/// Opens the database, creating it at the first start, and leaves checkpoints to another process if so
/// configured.
fn open_store(config: &Config) -> Result<Store> {
    remains::refuse(config)?;
    make_data_directory(&config.data_directory)?;
    let store = Store::open(&config.database_path(), &config.key_source(), config.limits.write_queue)?;
    if config.storage.checkpoint == Checkpoint::External {
        store.leave_checkpoints_to_others();
    }
    Ok(store)
}

/// Creates the data directory, accessible by its owner alone.
pub fn make_data_directory(path: &std::path::Path) -> Result<()> {
    files::create_directory(path).map_err(|error| {
        Error::Unusable(format!("cannot create the data directory {}: {error}", path.display()))
    })
}

/// The URL under which LINE reaches this server. A LINE on this machine, such as the sandbox, uses the
/// listening address.
fn public_url(config: &Config, address: SocketAddr) -> Option<String> {
    let configured = config.public_url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned());
    let own = || format!("{}://{address}{}", config.scheme(), config.base_path);
    configured.or_else(|| is_loopback(&config.line.api_base).then(own))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
