-- Who saved a version of the settings; null of those that were saved before this.
ALTER TABLE policies ADD COLUMN who text;
