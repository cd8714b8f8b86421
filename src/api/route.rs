//! A path of the interface, and what each method does there; any other method is told which there are.

use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::{FromRequest, Handler, HttpRequest, Responder, web};

use crate::api::once;
use crate::error::Error;

/// A path, and what each of its methods does.
pub struct Route {
    path: &'static str,
    methods: Vec<(Method, actix_web::Route)>,
    is_once: bool,
}

impl Route {
    /// A path that takes no method yet; braces stand around its parameters.
    pub fn at(path: &'static str) -> Self {
        Self { path, methods: Vec::new(), is_once: false }
    }

    /// What `GET` does there.
    pub fn get<F, A>(self, handler: F) -> Self
    where
        F: Handler<A, Output: Responder + 'static>,
        A: FromRequest + 'static,
    {
        self.on(Method::GET, handler)
    }

    /// What `HEAD` does there.
    pub fn head<F, A>(self, handler: F) -> Self
    where
        F: Handler<A, Output: Responder + 'static>,
        A: FromRequest + 'static,
    {
        self.on(Method::HEAD, handler)
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

    /// What `POST` creates there is created once for each `Idempotency-Key`.
    pub fn once(mut self) -> Self {
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
        if self.is_once {
            service.service(resource.wrap(from_fn(once::once)));
        } else {
            service.service(resource);
        }
    }

    fn on<F, A>(mut self, method: Method, handler: F) -> Self
    where
        F: Handler<A, Output: Responder + 'static>,
        A: FromRequest + 'static,
    {
        self.methods.push((method.clone(), web::method(method).to(handler)));
        self
    }
}
