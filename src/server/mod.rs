//! Putting the parts together: the database, the workers and the HTTP threads of one running server.

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
use crate::store::outbox::deliveries;
use crate::store::{Store, verify, webhooks};

/// Threads that have ended give back what they held within this time.
const GIVE_BACK_TIME_MAX: Duration = Duration::from_secs(2);

/// How often it is looked whether they have.
const GIVE_BACK_PAUSE: Duration = Duration::from_millis(2);

/// A server that has its database and its port, and does not answer yet.
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
    /// Binds the port, opens the database, and takes over what the configuration declares.
    ///
    /// `Unusable` when a setting, the database or the port cannot be used.
    pub fn bind(config: Config, clock: Clock) -> Result<Self> {
        Self::bind_under(Supervisor::default(), config, clock)
    }

    /// The same under a service manager: a socket that it hands over takes the place of the configured one.
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
            store,
            media_store,
            clock,
            verifier,
            wakers: Wakers::default(),
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

    /// The address of the interface as somebody on this machine writes it.
    pub fn url(&self) -> Result<String> {
        let Config { base_path, .. } = &self.shared.config;
        Ok(format!("{}://{}{base_path}", self.shared.config.scheme(), self.address()?))
    }

    /// Where the server listens.
    pub fn address(&self) -> Result<SocketAddr> {
        self.listener.local_addr().map_err(Error::internal)
    }

    /// Where the numbers for a monitoring system are served, if they are.
    pub fn metrics_address(&self) -> Result<Option<SocketAddr>> {
        let address = self.metrics.as_ref().map(TcpListener::local_addr).transpose();
        address.map_err(Error::internal)
    }

    /// What the HTTP threads share.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Answers requests and does the work behind them until `stop` is ready. Then nothing new is taken, what is under
    /// way is finished within the configured time, and the database is closed.
    ///
    /// `Unusable` when it has ended because the files of the database were moved, removed or replaced.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<()> {
        let store = self.shared.store.clone();
        let ended = self.run_until(stop).await;
        // Why it ends says more than how.
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
        let commands = self.commands.map(|commands| commands.answer(&self.shared)).transpose()?;
        self.notify.ready();
        let ended = tokio::select! {
            () = stop => Ok(()),
            // A worker ends before it is told to only when it panics: a new start is the only remedy.
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
            log::warn!("some deliveries are still under way; they go on at the next start");
        }
        // Until here they are told that the server is stopping.
        drop(commands);
        given_back(&self.shared, holders).await;
        ended
    }
}

/// The socket of the interface, and whose it is.
fn listener_of(supervisor: Supervisor, config: &Config) -> Result<(TcpListener, Holder)> {
    match supervisor.listener {
        Some(listener) => Ok((take_over(listener)?, Holder::Supervisor)),
        None => Ok((listen(&config.listen)?, Holder::Us)),
    }
}

/// A server without its socket works; only commands that write have to wait until it is stopped.
fn listen_to_commands(config: &Config) -> Option<AdminListener> {
    match AdminListener::begin(&config.data_directory) {
        Ok(listening) => Some(listening),
        Err(error) => {
            log::warn!("commands cannot reach this server, its socket cannot be made: {}", error.chain());
            None
        }
    }
}

/// HTTP threads give back what they share a moment after they have ended. Only when nobody holds the database any more is
/// it closed, and its log folded into the file; a process that ended before would leave that to the next start.
async fn given_back(shared: &Arc<Shared>, holders: usize) {
    let limit = Instant::now() + GIVE_BACK_TIME_MAX;
    while Arc::strong_count(shared) > holders && Instant::now() < limit {
        tokio::time::sleep(GIVE_BACK_PAUSE).await;
    }
}

async fn watch_certificate(certificate: Option<Certificate>) {
    match certificate {
        Some(certificate) => certificate.watch().await,
        None => std::future::pending().await,
    }
}

/// What was under way when the process before this one ended is taken up again.
fn recover(store: &Store, clock: &Clock) -> Result<()> {
    store.write_blocking(clock.now(), deliveries::recover)?;
    store.write_blocking(clock.now(), fetch_jobs::recover)?;
    store.write_blocking(clock.now(), webhooks::deliveries::recover)
}

/// Opens the database, which is made where there never was one, and leaves its log to another process if that is
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

/// Makes the folder of the data, for its owner alone.
pub fn make_data_directory(path: &std::path::Path) -> Result<()> {
    files::make_folder(path).map_err(|error| {
        Error::Unusable(format!("cannot make the data directory {}: {error}", path.display()))
    })
}

/// Where LINE reaches this server. A LINE on this machine, such as the sandbox, reaches it where it listens.
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
