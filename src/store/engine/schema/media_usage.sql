-- Triggers now count the bytes of a customer's files. Before, each upload added them up.
DROP INDEX medias_of_customer;

CREATE TABLE media_usage (
    customer INTEGER PRIMARY KEY REFERENCES customers (key),
    bytes INTEGER NOT NULL
) STRICT;

CREATE TRIGGER media_usage_of_new AFTER INSERT ON medias WHEN NEW.status = 'stored' BEGIN
    INSERT INTO media_usage (customer, bytes) VALUES (NEW.customer, NEW.size)
    ON CONFLICT (customer) DO UPDATE SET bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER media_usage_of_changed AFTER UPDATE OF status, size ON medias
WHEN OLD.status = 'stored' OR NEW.status = 'stored' BEGIN
    INSERT INTO media_usage (customer, bytes)
    VALUES (NEW.customer, iif(NEW.status = 'stored', NEW.size, 0) - iif(OLD.status = 'stored', OLD.size, 0))
    ON CONFLICT (customer) DO UPDATE SET bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER media_usage_of_removed AFTER DELETE ON medias WHEN OLD.status = 'stored' BEGIN
    UPDATE media_usage SET bytes = bytes - OLD.size WHERE customer = OLD.customer;
END;

INSERT INTO media_usage (customer, bytes)
SELECT customer, sum(size) FROM medias WHERE status = 'stored' GROUP BY customer;
