//! A path of the API and its methods. Any other method gets a 405 that lists the allowed ones.

use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::{FromRequest, Handler, HttpRequest, Responder, web};

use crate::api::middleware::idempotency;
use crate::api::request::query::Parameters;
use crate::error::{Error, Resource};

/// API calls check their query parameters. Pages, files and the webhook accept any.
const API_PREFIX: &str = "/v1.0/";

/// A path and its methods.
pub struct Route {
    path: &'static str,
    methods: Vec<(Method, actix_web::Route)>,
    /// The query parameters that each method accepts besides the token; a method without an entry accepts any.
    queries: Vec<(Method, &'static [&'static str])>,
    is_idempotent: bool,
}

impl Route {
    /// A path without methods yet; its parameters are in braces.
    pub fn at(path: &'static str) -> Self {
        Self { path, methods: Vec::new(), queries: Vec::new(), is_idempotent: false }
    }

    /// Handles `GET`, and `HEAD` likewise without the body.
    pub fn get<F, A>(self, handler: F) -> Self
    where
        F: Handler<A, Output: Responder + 'static>,
        A: FromRequest + 'static,
    {
        self.on(Method::GET, handler.clone()).on(Method::HEAD, handler)
    }

    /// Handles `POST`.
    pub fn post<F, A>(self, handler: F) -> Self
    where
        F: Handler<A, Output: Responder + 'static>,
        A: FromRequest + 'static,
    {
        self.on(Method::POST, handler)
    }

    /// Handles `PUT`.
    pub fn put<F, A>(self, handler: F) -> Self
    where
        F: Handler<A, Output: Responder + 'static>,
        A: FromRequest + 'static,
    {
        self.on(Method::PUT, handler)
    }

    /// Handles `DELETE`.
    pub fn delete<F, A>(self, handler: F) -> Self
    where
        F: Handler<A, Output: Responder + 'static>,
        A: FromRequest + 'static,
    {
        self.on(Method::DELETE, handler)
    }

    /// The query parameters of the methods added so far, besides the token; without this call they accept none.
    pub fn takes(mut self, names: &'static [&'static str]) -> Self {
        for (_, query) in self.queries.iter_mut().filter(|(_, query)| query.is_empty()) {
            *query = names;
        }
        self
    }

    /// Accepts any query: third parties choose it.
    pub fn takes_anything(mut self) -> Self {
        self.queries.clear();
        self
    }

    /// Makes `POST` create only once per `Idempotency-Key`.
    pub fn idempotent(mut self) -> Self {
        self.is_idempotent = true;
        self
    }

    /// The path.
    pub fn path(&self) -> &'static str {
        self.path
    }

    /// The methods, as the `Allow` header lists them.
    pub fn allow(&self) -> String {
        let mut names: Vec<&str> = self.methods.iter().map(|(method, _)| method.as_str()).collect();
        names.sort_unstable();
        names.join(", ")
    }

    /// Registers the path with the server.
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
        if self.is_idempotent {
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
        if self.path.starts_with(API_PREFIX) {
            self.queries.push((method.clone(), &[]));
        }
        self.methods.push((method.clone(), web::method(method).to(handler)));
        self
    }
}

/// The handler of unknown paths.
pub async fn route_not_found() -> Result<&'static str, Error> {
    Err(Error::NotFound(Resource::Route))
}
