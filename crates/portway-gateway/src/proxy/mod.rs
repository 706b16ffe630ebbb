//! Forwards requests to services.
//!
//! ```text
//! host ─► name ─► instance, service ─► path route ─► ready? ─► connection ─► response
//!                                                    │            │
//!                                                    └ waits      └ retries if nothing was sent
//! ```

mod context;
mod grpc;
mod headers;
mod readiness;
mod response;
mod route;
mod upgrade;

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::{Body, Incoming};
use hyper::{Method, Request, Response, Uri};
use portway_api::InstanceState;
use tokio::time::{timeout, timeout_at};

use crate::api::Api;
use crate::cache::{CachedInstance, InstanceCache};
use crate::error_pages::{self, Format};
use crate::fields;
use crate::forwards::Forwards;
use crate::host;
use crate::names::{DOMAIN, Target};
use crate::peer::ListenerKind;
use crate::platform;
use crate::refusal::Refusal;
use crate::response::ResponseBody;
use crate::rewrite::Rewriting;
use crate::site::{self, Site};
use crate::upstream::{BodyTooLarge, RequestBody, UpstreamPool, UpstreamProtocol};

use context::RequestContext;
pub(crate) use headers::ClientConnection;
use readiness::Decision;
use route::RoutedPath;
use upgrade::UpgradeRequest;

/// How long a request waits until its service is ready.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a page request waits before the gateway shows that the service is starting. A quick
/// restart therefore shows no such page.
const PAGE_READY_TIMEOUT: Duration = Duration::from_millis(500);

/// How long a service that is reported as ready may refuse connections. It has probably just
/// exited, and its supervisor is about to report that.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait before connecting again, unless the state of an instance changes earlier.
const RETRY_DELAY: Duration = Duration::from_millis(20);

/// How many idle connections of clients to close if no descriptor is free to connect to a service.
const CLOSED_PER_FAILURE: usize = 16;

/// Handles the requests of one thread of the gateway.
pub(crate) struct Proxy {
    cache: InstanceCache,
    forwards: Forwards,
    pool: UpstreamPool,
    site: Site,
}

impl Proxy {
    pub(crate) fn new(cache: InstanceCache, api: &Api) -> Self {
        Self {
            cache,
            pool: UpstreamPool::default(),
            forwards: api.forwards().clone(),
            site: Site::new(api),
        }
    }

    /// Responds to a request.
    pub(crate) async fn respond(
        &self,
        request: Request<Incoming>,
        client: &ClientConnection,
    ) -> Response<ResponseBody> {
        let is_grpc = grpc::is_grpc(&request);
        let response = self.respond_to_any(request, client).await;
        match is_grpc {
            true => error_pages::for_grpc(response),
            false => response,
        }
    }

    /// Responds to a request, with errors for a browser or a program.
    ///
    /// The state of this future is moved for every request. The boxed futures, which are rarely
    /// needed, keep it small.
    async fn respond_to_any(
        &self,
        request: Request<Incoming>,
        client: &ClientConnection,
    ) -> Response<ResponseBody> {
        let Some(host) = host::of_request(&request) else {
            return error_pages::bad_request(headers::INVALID_HOST);
        };
        if !fields::has_supported_coding(request.headers()) {
            return error_pages::bad_request("`chunked` is the only supported transfer coding");
        }
        let is_connect = request.method() == Method::CONNECT;
        if is_connect && request.extensions().get::<hyper::ext::Protocol>().is_none() {
            return error_pages::not_a_forward_proxy();
        }
        if upgrade::is_unsupported(&request) {
            return error_pages::unsupported_protocol();
        }
        let found = if client.peer.listener == ListenerKind::FixedPort {
            Box::pin(self.resolve_fixed_port(client.peer.port)).await
        } else if site::is_own_host(&host) {
            return Box::pin(self.site.respond(request, client.peer)).await;
        } else if host::is_loopback(&host) && request.uri().path() == "/" {
            return error_pages::redirect_to_dashboard(&site::origin(client.peer));
        } else {
            self.resolve_name(&host).await
        };
        let Some(target) = found else {
            // Dropping the body drains it, so that the client can read the response.
            drop(RequestBody::split(request));
            return error_pages::unknown_name();
        };
        let context = RequestContext::new(&request, &host, client.peer, target);
        self.forward(request, &context, client).await
    }

    /// Resolves a host name.
    ///
    /// Refreshes the cache if the name is unknown or its instance is not running, because the
    /// instance may just have started.
    async fn resolve_name(&self, host: &str) -> Option<Arc<Target>> {
        let snapshot = self.cache.snapshot();
        let target = snapshot.names.resolve(host);
        let is_current = |target: &&Arc<Target>| {
            let instance = snapshot.get(&target.instance);
            instance.is_some_and(is_running)
        };
        if let Some(target) = target.filter(is_current) {
            return Some(target.clone());
        }
        let subdomain = host.strip_suffix(DOMAIN)?;
        if !subdomain.ends_with('.') {
            return None;
        }
        self.cache.refresh().await.names.resolve(host).cloned()
    }

    /// Resolves a fixed port.
    async fn resolve_fixed_port(&self, port: u16) -> Option<Arc<Target>> {
        let forward = self.forwards.find(port)?;
        let mut snapshot = self.cache.snapshot();
        if !snapshot.get(&forward.id).is_some_and(is_running) {
            snapshot = self.cache.refresh().await;
        }
        let instance = snapshot.get(&forward.id);
        let main = instance.and_then(|instance| instance.status.main.as_ref());
        Some(Arc::new(Target {
            is_main: main == Some(&forward.service),
            instance: forward.id,
            service: Some(forward.service),
        }))
    }

    async fn forward(
        &self,
        mut request: Request<Incoming>,
        context: &RequestContext,
        client: &ClientConnection,
    ) -> Response<ResponseBody> {
        let protocol = if grpc::is_grpc(&request) {
            UpstreamProtocol::Http2
        } else {
            UpstreamProtocol::Http1
        };
        let upgrade = UpgradeRequest::take(&mut request, &client.open);
        let Ok(routed) = self.apply_route(&context.target, request.uri()) else {
            return error_pages::bad_request("the path is not valid");
        };
        let (service, path, stripped_prefix) = match routed {
            Some(RoutedPath {
                service,
                path,
                stripped_prefix,
            }) => (Some(service), Some(path), stripped_prefix),
            None => (context.target.service.clone(), None, None),
        };
        let service = service.as_deref();
        let (mut parts, mut body) = RequestBody::split(request);
        let has_body = !body.is_end_stream();
        let max_body = if has_body {
            self.max_body(context, service)
        } else {
            u64::MAX
        };
        if !body.limit(max_body) {
            return error_pages::body_too_large(service, max_body);
        }
        if !headers::prepare_request(&mut parts, client, upgrade.as_ref(), path) {
            return error_pages::loop_detected();
        }
        if let Some(prefix) = stripped_prefix {
            parts.headers.insert(headers::FORWARDED_PREFIX, prefix);
        }
        if protocol == UpstreamProtocol::Http2
            && let Err(message) = grpc::convert_to_http2(&mut parts)
        {
            return error_pages::bad_request(message);
        }
        // A safe request without a body can be repeated, even if the service received it. It is
        // repeated only once: the request itself may make the service crash.
        let is_repeatable = parts.method.is_safe() && !has_body && upgrade.is_none();
        let mut request = Request::from_parts(parts, body);
        let start = Instant::now();
        let mut first_failure = None;
        let mut was_repeated = false;
        loop {
            let port = match self.evaluate(context, service) {
                Decision::Forward(port) => port,
                Decision::Refuse(refusal) => return self.refuse(&refusal, context, service),
                Decision::Wait => match Box::pin(self.wait_ready(context, service, start)).await {
                    Ok(port) => port,
                    Err(refusal) => return self.refuse(&refusal, context, service),
                },
            };
            let rewriting = match protocol {
                UpstreamProtocol::Http1 => {
                    self.start_rewriting(context, service, client, &mut request)
                }
                UpstreamProtocol::Http2 => None,
            };
            let copy = (is_repeatable && !was_repeated).then(|| copy_without_body(&request));
            let (failure, unsent) = match self.pool.acquire(port, protocol, is_repeatable).await {
                Ok(mut connection) => match connection.send(request).await {
                    Ok(response) => {
                        return response::finish(response, connection, upgrade, rewriting);
                    }
                    Err(mut error) => {
                        // hyper returns the request if it was not sent.
                        let unsent = error.take_message();
                        let error = error.into_error();
                        if BodyTooLarge::caused(&error) {
                            return error_pages::body_too_large(service, max_body);
                        }
                        if error.is_user() {
                            return error_pages::bad_request("the request body cannot be read");
                        }
                        // The service responded, but not with valid HTTP. A retry would not help.
                        let lacks_http2 = connection.lacks_http2();
                        if error.is_parse() || lacks_http2 {
                            let refusal = if lacks_http2 {
                                Refusal::NotHttp2
                            } else {
                                Refusal::NoResponse(error.to_string())
                            };
                            return self.refuse(&refusal, context, service);
                        }
                        was_repeated |= unsent.is_none();
                        (Refusal::NoResponse(error.to_string()), unsent)
                    }
                },
                Err(error) if platform::is_out_of_descriptors(&error) => {
                    self.pool.close_idle();
                    client.open.close_idle_connections(CLOSED_PER_FAILURE);
                    (Refusal::Overloaded, Some(request))
                }
                Err(error) => (Refusal::NoResponse(error.to_string()), Some(request)),
            };
            let since = *first_failure.get_or_insert_with(Instant::now);
            match unsent.or(copy) {
                Some(retry) if since.elapsed() <= CONNECT_TIMEOUT => request = retry,
                _ => return self.refuse(&failure, context, service),
            }
            Box::pin(self.wait_retry()).await;
        }
    }

    /// Applies the path routes of the target's instance. Returns `None` if no route matches.
    ///
    /// # Errors
    /// If the path is not valid without the stripped prefix.
    fn apply_route(&self, target: &Target, uri: &Uri) -> Result<Option<RoutedPath>, ()> {
        let snapshot = self.cache.snapshot();
        let status = snapshot.get(&target.instance).map(|one| &one.status);
        let routes = status.map_or(&[][..], |status| &status.routes);
        match target.is_main {
            true => route::apply(routes, uri),
            false => Ok(None),
        }
    }

    /// Decides whether to rewrite the URLs in the response, and prepares the request for it.
    fn start_rewriting(
        &self,
        context: &RequestContext,
        service: Option<&str>,
        client: &ClientConnection,
        request: &mut Request<RequestBody>,
    ) -> Option<Rewriting> {
        if client.peer.listener == ListenerKind::FixedPort {
            return None;
        }
        let snapshot = self.cache.snapshot();
        let instance = snapshot.get(&context.target.instance)?;
        let is_tls = client.peer.is_tls();
        Rewriting::start(&instance.status, &snapshot.names, service?, is_tls, request)
    }

    /// Returns the maximum size of a request body in bytes. `u64::MAX` means no limit.
    fn max_body(&self, context: &RequestContext, service: Option<&str>) -> u64 {
        let snapshot = self.cache.snapshot();
        let instance = snapshot.get(&context.target.instance);
        let service = instance
            .zip(service)
            .and_then(|(instance, name)| instance.status.service(name));
        service.and_then(|one| one.max_body).unwrap_or(u64::MAX)
    }

    /// Decides what to do with a request now.
    fn evaluate(&self, context: &RequestContext, service: Option<&str>) -> Decision {
        let snapshot = self.cache.snapshot();
        match snapshot.get(&context.target.instance) {
            Some(instance) => readiness::evaluate(&instance.status, service),
            None => Decision::Refuse(Refusal::InstanceNotRunning),
        }
    }

    /// Waits until the service is ready and returns its port.
    async fn wait_ready(
        &self,
        context: &RequestContext,
        service: Option<&str>,
        start: Instant,
    ) -> Result<u16, Refusal> {
        let limit = match context.format {
            Format::Html => PAGE_READY_TIMEOUT,
            Format::Json | Format::Grpc => READY_TIMEOUT,
        };
        let mut changes = self.cache.changes();
        // Subscribing before the first evaluation ensures that no change is missed.
        changes.mark_unchanged();
        loop {
            match self.evaluate(context, service) {
                Decision::Forward(port) => return Ok(port),
                Decision::Refuse(refusal) => return Err(refusal),
                Decision::Wait => {}
            }
            let changed = timeout_at((start + limit).into(), changes.changed()).await;
            if changed.is_err() {
                return Err(Refusal::NotReady);
            }
        }
    }

    /// Waits for [`RETRY_DELAY`] or the next change of an instance.
    async fn wait_retry(&self) {
        let mut changes = self.cache.changes();
        changes.mark_unchanged();
        // The next attempt follows in either case.
        let _ = timeout(RETRY_DELAY, changes.changed()).await;
    }

    fn refuse(
        &self,
        refusal: &Refusal,
        context: &RequestContext,
        service: Option<&str>,
    ) -> Response<ResponseBody> {
        let snapshot = self.cache.snapshot();
        let instance = snapshot.get(&context.target.instance);
        error_pages::refused(refusal, instance, service, context.audience())
    }
}

/// Whether an instance is running and has reported its status.
fn is_running(instance: &CachedInstance) -> bool {
    !instance.awaits_status && instance.status.state != InstanceState::Stopped
}

/// Copies a request that has no body.
fn copy_without_body(request: &Request<RequestBody>) -> Request<RequestBody> {
    let mut copy = Request::new(RequestBody::default());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}
