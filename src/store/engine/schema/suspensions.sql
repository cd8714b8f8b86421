ALTER TABLE accounts RENAME COLUMN parked_reason TO suspension_reason;
ALTER TABLE accounts RENAME COLUMN parked_message TO suspension_message;
ALTER TABLE accounts RENAME COLUMN parked_until TO suspended_until;
ALTER TABLE medias RENAME COLUMN errand TO task;
