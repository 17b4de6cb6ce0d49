-- One marker for each writer instead of one for each batch, so that the table stays as small as there are writers: the
-- number of the batch that the writer committed last.
ALTER TABLE batches ADD COLUMN sequence {int} NOT NULL DEFAULT 0;
