// An answer fits a type when all that the type names is there; fields beyond it are the API's to add.
export type Fits<T> = T extends (infer Item)[]
  ? Fits<Item>[]
  : T extends object
    ? { [Key in keyof T]: Fits<T[Key]> } & { [beyond: string]: unknown }
    : T;
