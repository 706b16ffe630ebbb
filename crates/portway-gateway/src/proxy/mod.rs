//! One request: from a name to a service and back.
//!
//! ```text
//! host ─► name ─► instance, service ─► path route ─► ready? ─► connection ─► answer
//!                                                      │            │
//!                                                waits ┘            └ asked again, when nothing was lost
//! ```

mod body;
mod head;
mod line;
mod patience;
mod pool;
mod route;
mod upgrade;

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::{Body, Incoming};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri, Version};
use portway_api::InstanceState;
use tokio::time::{timeout, timeout_at};

use crate::api::Api;
use crate::cache::{CachedInstance, InstanceCache};
use crate::forwards::Forwards;
use crate::host;
use crate::names::Target;
use crate::pages;
use crate::site::{self, Site};

pub(crate) use body::Answer;
use body::{Relay, TooLarge, Upload};
pub(crate) use head::{Client, Peer};
pub(crate) use patience::Refusal;
use patience::{Verdict, judge};
use pool::Pool;

/// How long a request waits for its service.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a page waits before the browser is shown that the service starts. A quick restart is
/// not seen at all.
const PAGE_PATIENCE: Duration = Duration::from_millis(500);

/// How long a service that is said to be ready may refuse connections: it has just died, and its
/// supervisor will say so in a moment.
const SILENCE: Duration = Duration::from_secs(5);

/// The pause before it is asked again.
const AGAIN: Duration = Duration::from_millis(20);

/// What a browser says that it wants an answer for.
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Serves requests of one thread of the gateway.
pub(crate) struct Proxy {
    cache: InstanceCache,
    forwards: Forwards,
    pool: Pool,
    site: Site,
}

/// Where a path route leads.
struct Routed {
    service: String,
    /// What the service is asked for.
    path: Uri,
    /// What it does not see of the path that the client asked for.
    prefix: Option<HeaderValue>,
}

/// A request whose service is known.
pub(crate) struct Asked {
    target: Arc<Target>,
    peer: Peer,
    /// Whether the host that was asked for can only be this machine.
    is_trusted: bool,
    /// Whether a person looks at what comes: a page, not a part of one.
    page: bool,
}

impl Proxy {
    pub(crate) fn new(cache: InstanceCache, api: &Api) -> Self {
        Self {
            cache,
            pool: Pool::default(),
            forwards: api.forwards().clone(),
            site: Site::new(api),
        }
    }

    /// Answers a request, whatever comes.
    ///
    /// Every request moves the state of this as a whole; what is rare lies in boxes, so that it is
    /// small.
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        client: &Client,
    ) -> Response<Answer> {
        let Some(host) = host::of(&request) else {
            return pages::bad_request("a request names exactly one host");
        };
        if !head::has_plain_coding(request.headers()) {
            return pages::bad_request(
                "the only transfer coding that is understood is `chunked`, once",
            );
        }
        let is_connect = request.method() == Method::CONNECT;
        if is_connect && request.extensions().get::<hyper::ext::Protocol>().is_none() {
            return pages::not_a_proxy();
        }
        let found = if client.peer.fixed {
            Box::pin(self.fixed(client.peer.port)).await
        } else if site::is_own(&host) {
            return Box::pin(self.site.answer(request, client.peer)).await;
        } else if host::is_plain(&host) && request.uri().path() == "/" {
            return pages::moved(&site::origin(client.peer));
        } else {
            self.find(&host).await
        };
        let Some(target) = found else {
            drop(Upload::of(request));
            return pages::nobody();
        };
        let asked = Asked {
            target,
            peer: client.peer,
            is_trusted: host::is_of_this_machine(&host),
            page: is_page(&request),
        };
        self.serve(request, &asked, client).await
    }

    /// Where a name leads. A look is taken for one that is not known or at rest, for its instance may
    /// just have come, and for one whose instance has not said yet how it is.
    async fn find(&self, host: &str) -> Option<Arc<Target>> {
        let snapshot = self.cache.snapshot();
        let target = snapshot.names.find(host);
        let answers = |target: &&Arc<Target>| snapshot.get(&target.instance).is_some_and(runs);
        if let Some(target) = target.filter(answers) {
            return Some(target.clone());
        }
        if !host.ends_with(".localhost") {
            return None;
        }
        self.cache.refresh().await.names.find(host).cloned()
    }

    /// Where a fixed port leads.
    async fn fixed(&self, port: u16) -> Option<Arc<Target>> {
        let forward = self.forwards.find(port)?;
        let mut snapshot = self.cache.snapshot();
        if !snapshot.get(&forward.id).is_some_and(runs) {
            snapshot = self.cache.refresh().await;
        }
        let member = snapshot.get(&forward.id);
        let main = member.and_then(|member| member.status.main.as_ref());
        Some(Arc::new(Target {
            main: main == Some(&forward.service),
            instance: forward.id,
            service: Some(forward.service),
        }))
    }

    async fn serve(
        &self,
        mut request: Request<Incoming>,
        asked: &Asked,
        client: &Client,
    ) -> Response<Answer> {
        let wish = upgrade::wish(&mut request);
        let Ok(route) = self.routed(&asked.target, request.uri()) else {
            return pages::bad_request("there is no such path");
        };
        let (service, path, prefix) = match route {
            Some(Routed {
                service,
                path,
                prefix,
            }) => (Some(service), Some(path), prefix),
            None => (asked.target.service.clone(), None, None),
        };
        let service = service.as_deref();
        let (mut parts, mut upload) = Upload::of(request);
        let is_empty = upload.is_end_stream();
        let most = match is_empty {
            true => u64::MAX,
            false => self.max_body(asked, service),
        };
        if !upload.limit(most) {
            return pages::too_large(service, most);
        }
        if !head::prepare(&mut parts, client, wish.as_ref(), path) {
            return pages::circle();
        }
        if let Some(prefix) = prefix {
            parts.headers.insert(head::FORWARDED_PREFIX, prefix);
        }
        // What has no body and changes nothing can be asked again, once, whatever became of it: a
        // service that dies of it shall not die again and again.
        let again = parts.method.is_safe() && is_empty && wish.is_none();
        let mut request = Request::from_parts(parts, upload);
        let began = Instant::now();
        let mut silent_since = None;
        let mut repeated = false;
        loop {
            let port = match self.judge(asked, service) {
                Verdict::Ask(port) => port,
                Verdict::Refuse(refusal) => return self.refuse(&refusal, asked, service),
                Verdict::Wait => match Box::pin(self.ready(asked, service, began)).await {
                    Ok(port) => port,
                    Err(refusal) => return self.refuse(&refusal, asked, service),
                },
            };
            let kept = (again && !repeated).then(|| copy(&request));
            let (failure, left) = match self.pool.take(port, again).await {
                Ok(mut connection) => match connection.sender.try_send_request(request).await {
                    Ok(response) => return finish(response, connection, wish),
                    Err(mut error) => {
                        // It comes back unless it was sent.
                        let left = error.take_message();
                        let error = error.into_error();
                        if TooLarge::is_in(&error) {
                            return pages::too_large(service, most);
                        }
                        if error.is_user() {
                            return pages::bad_request("the request's body cannot be read");
                        }
                        // An answer that makes no sense is one, and the next would be no better.
                        if error.is_parse() {
                            let refusal = Refusal::NoAnswer(error.to_string());
                            return self.refuse(&refusal, asked, service);
                        }
                        repeated |= left.is_none();
                        (error.to_string(), left)
                    }
                },
                Err(error) => (error.to_string(), Some(request)),
            };
            let since = *silent_since.get_or_insert_with(Instant::now);
            match left.or(kept) {
                Some(left) if since.elapsed() <= SILENCE => request = left,
                _ => return self.refuse(&Refusal::NoAnswer(failure), asked, service),
            }
            Box::pin(self.pause()).await;
        }
    }

    /// The service that a request is for and what it is asked for, where a path route leads to it.
    ///
    /// # Errors
    /// When nothing can be asked for there.
    fn routed(&self, target: &Target, uri: &Uri) -> Result<Option<Routed>, ()> {
        let snapshot = self.cache.snapshot();
        let status = snapshot.get(&target.instance).map(|member| &member.status);
        let routes = status.map_or(&[][..], |status| &status.routes);
        let route = target
            .main
            .then(|| route::find(routes, uri.path()))
            .flatten();
        let Some(route) = route else {
            return Ok(None);
        };
        let path = route::target(route, uri).ok_or(())?;
        let prefix = HeaderValue::from_str(&route.path).ok();
        Ok(Some(Routed {
            service: route.service.clone(),
            path: Uri::from(path),
            prefix: prefix.filter(|_| route.strip),
        }))
    }

    /// The largest body that the service takes, in bytes; no limit is the largest number.
    fn max_body(&self, asked: &Asked, service: Option<&str>) -> u64 {
        let snapshot = self.cache.snapshot();
        let member = snapshot.get(&asked.target.instance);
        let service = member
            .zip(service)
            .and_then(|(member, name)| member.status.service(name));
        service.and_then(|one| one.max_body).unwrap_or(u64::MAX)
    }

    /// Whether the service can be asked now.
    fn judge(&self, asked: &Asked, service: Option<&str>) -> Verdict {
        let snapshot = self.cache.snapshot();
        match snapshot.get(&asked.target.instance) {
            Some(member) => judge(&member.status, service),
            None => Verdict::Refuse(Refusal::NotRunning),
        }
    }

    /// Waits until the service can be asked, and answers its port.
    async fn ready(
        &self,
        asked: &Asked,
        service: Option<&str>,
        began: Instant,
    ) -> Result<u16, Refusal> {
        let patience = if asked.page { PAGE_PATIENCE } else { PATIENCE };
        let mut changes = self.cache.changes();
        // The snapshot is read after the subscription: no change falls between the two.
        changes.mark_unchanged();
        loop {
            match self.judge(asked, service) {
                Verdict::Ask(port) => return Ok(port),
                Verdict::Refuse(refusal) => return Err(refusal),
                Verdict::Wait => {}
            }
            let waited = timeout_at((began + patience).into(), changes.changed()).await;
            if waited.is_err() {
                return Err(Refusal::TooLong);
            }
        }
    }

    /// A moment for the supervisor to say what has become of its service.
    async fn pause(&self) {
        let mut changes = self.cache.changes();
        changes.mark_unchanged();
        let _ = timeout(AGAIN, changes.changed()).await;
    }

    fn refuse(&self, refusal: &Refusal, asked: &Asked, service: Option<&str>) -> Response<Answer> {
        let snapshot = self.cache.snapshot();
        pages::refused(
            refusal,
            snapshot.get(&asked.target.instance),
            service,
            asked,
        )
    }
}

/// Whether an instance runs and has said how it is.
fn runs(member: &CachedInstance) -> bool {
    !member.awaits_status && member.status.state != InstanceState::Stopped
}

/// The same request, which has no body.
fn copy(request: &Request<Upload>) -> Request<Upload> {
    let mut copy = Request::new(Upload::default());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

/// Makes the answer ready for the client.
fn finish(
    mut response: Response<Incoming>,
    connection: pool::Borrowed,
    wish: Option<upgrade::Wish>,
) -> Response<Answer> {
    let switches = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    match wish {
        Some(wish) if switches => {
            let upgrade = response.headers().get(header::UPGRADE).cloned();
            let extended = wish.is_extended();
            head::strip(response.headers_mut());
            wish.join(&mut response);
            if !extended && let Some(upgrade) = upgrade {
                let headers = response.headers_mut();
                headers.insert(header::UPGRADE, upgrade);
                headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            }
        }
        None if switches => return pages::odd_answer(),
        _ => head::strip(response.headers_mut()),
    }
    // The client's protocol is the server's business.
    *response.version_mut() = Version::default();
    response.map(|body| Answer::Service(Relay::new(body, connection)))
}

/// Whether a request is for a page that a person looks at.
fn is_page<B>(request: &Request<B>) -> bool {
    let field = |name: HeaderName| {
        let value = request.headers().get(name);
        value.and_then(|value| value.to_str().ok())
    };
    request.method() == Method::GET
        && field(header::ACCEPT).is_some_and(|accept| accept.contains("text/html"))
        && field(FETCH_MODE).is_none_or(|mode| mode == "navigate")
}

impl Asked {
    /// Whether the answer is for a person.
    pub(crate) fn is_page(&self) -> bool {
        self.page
    }

    /// Whether who asks may see what a service printed, and where its checkout lies: this user, and
    /// no page that another name was made to lead here for (DNS rebinding).
    pub(crate) fn is_trusted(&self) -> bool {
        self.is_trusted && self.peer.is_local() && !self.peer.is_another_user()
    }
}
