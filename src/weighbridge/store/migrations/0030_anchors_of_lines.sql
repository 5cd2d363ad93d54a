-- A corrected line is told apart by the material that it was given with, no longer by what an earlier correction
-- had made of it: that one may be taken back.
-- Earlier programs find the line of either.
-- Serves programs from schema 11 on.

UPDATE corrections c SET anchor = earlier.anchor
FROM corrections earlier
WHERE earlier.product_id = c.product_id
  AND earlier.id < c.id
  AND earlier.step = 'bill_of_materials'
  AND earlier.path = ARRAY['lines', c.path[2], 'material']
  AND earlier.after = to_jsonb(c.anchor)
  AND NOT EXISTS (  -- another bill has taken the place of that line since
      SELECT FROM corrections bill
      WHERE bill.product_id = c.product_id AND bill.id > earlier.id AND bill.id < c.id
        AND bill.step = 'bill_of_materials' AND bill.path = ARRAY['lines']
  );
