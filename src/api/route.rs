//! A path of the interface, and what each method does there; any other method is told which there are.

use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::{FromRequest, Handler, HttpRequest, Responder, web};

use crate::api::middleware::idempotency;
use crate::api::request::query::Parameters;
use crate::error::{Error, Resource};

/// Calls of the interface know their parameters. Pages and files, and what others call, do not mind any.
const INTERFACE: &str = "/v1.0/";

/// A path, and what each of its methods does.
pub struct Route {
    path: &'static str,
    methods: Vec<(Method, actix_web::Route)>,
    /// What each of them takes in the query, beside the token; where nothing stands, it is nobody's business.
    queries: Vec<(Method, &'static [&'static str])>,
    is_once: bool,
}

impl Route {
    /// A path that takes no method yet; braces stand around its parameters.
    pub fn at(path: &'static str) -> Self {
        Self { path, methods: Vec::new(), queries: Vec::new(), is_once: false }
    }

    /// What `GET` does there. `HEAD` does the same, and nobody is told the body.
    pub fn get<F, A>(self, handler: F) -> Self
    where
        F: Handler<A, Output: Responder + 'static>,
        A: FromRequest + 'static,
    {
        self.on(Method::GET, handler.clone()).on(Method::HEAD, handler)
    }

    /// What `POST` does there.
    pub fn post<F, A>(self, handler: F) -> Self
    where
        F: Handler<A, Output: Responder + 'static>,
        A: FromRequest + 'static,
    {
        self.on(Method::POST, handler)
    }

    /// What `PUT` does there.
    pub fn put<F, A>(self, handler: F) -> Self
    where
        F: Handler<A, Output: Responder + 'static>,
        A: FromRequest + 'static,
    {
        self.on(Method::PUT, handler)
    }

    /// What `DELETE` does there.
    pub fn delete<F, A>(self, handler: F) -> Self
    where
        F: Handler<A, Output: Responder + 'static>,
        A: FromRequest + 'static,
    {
        self.on(Method::DELETE, handler)
    }

    /// What the methods so far take in the query, beside the token: else nothing.
    pub fn takes(mut self, names: &'static [&'static str]) -> Self {
        for (_, query) in self.queries.iter_mut().filter(|(_, query)| query.is_empty()) {
            *query = names;
        }
        self
    }

    /// Whatever stands in the query is taken: others make it up.
    pub fn takes_anything(mut self) -> Self {
        self.queries.clear();
        self
    }

    /// What `POST` creates there is created once for each `Idempotency-Key`.
    pub fn idempotent(mut self) -> Self {
        self.is_once = true;
        self
    }

    /// The path.
    pub fn path(&self) -> &'static str {
        self.path
    }

    /// Its methods, as the `Allow` header lists them.
    pub fn allow(&self) -> String {
        let mut names: Vec<&str> = self.methods.iter().map(|(method, _)| method.as_str()).collect();
        names.sort_unstable();
        names.join(", ")
    }

    /// Lets the server answer it.
    pub fn register(self, service: &mut web::ServiceConfig) {
        let allow = self.allow();
        let refuse = move |_: HttpRequest| {
            let allow = allow.clone();
            async move { Err::<&str, _>(Error::MethodNotAllowed { allow }) }
        };
        let resource = web::resource(self.path).default_service(web::to(refuse));
        let methods = self.methods.into_iter();
        let resource = methods.fold(resource, |resource, (_, method)| resource.route(method));
        let resource = resource.app_data(Parameters(self.queries));
        if self.is_once {
            service.service(resource.wrap(from_fn(idempotency::idempotent)));
        } else {
            service.service(resource);
        }
    }

    fn on<F, A>(mut self, method: Method, handler: F) -> Self
    where
        F: Handler<A, Output: Responder + 'static>,
        A: FromRequest + 'static,
    {
        if self.path.starts_with(INTERFACE) {
            self.queries.push((method.clone(), &[]));
        }
        self.methods.push((method.clone(), web::method(method).to(handler)));
        self
    }
}

/// Says that nothing is at this path.
pub async fn route_not_found() -> Result<&'static str, Error> {
    Err(Error::NotFound(Resource::Route))
}
